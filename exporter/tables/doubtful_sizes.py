"""The images whose sizes may not add up, on their way to the findings.

The rows are staged page by page (`staged.py`).
"""

from __future__ import annotations

import pyarrow as pa

from exporter.tables.columns import Table

DOUBTFUL_SIZES = Table(
    name="doubtful_sizes",
    kind="staged",
    description="Images whose compressed_size may not be the sum of their layers, with or without "
    "the config: the findings check these. It may name more, and an image more than once",
    key=("image_id",),
    schema=pa.schema([("image_id", pa.string())]),
)
