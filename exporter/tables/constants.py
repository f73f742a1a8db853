"""Constants for PyArrow's kernels.

For a Python value, whose type it has to guess, PyArrow looks for pandas each time. Where pandas is
not installed, that takes longer than most kernels take for a page.
"""

from __future__ import annotations

import pyarrow as pa

TRUE = pa.scalar(True, pa.bool_())
FALSE = pa.scalar(False, pa.bool_())
ZERO = pa.scalar(0, pa.int32())
ZERO_BYTES = pa.scalar(0, pa.int64())
NO_TEXT = pa.scalar("", pa.string())
