"""What tells a page's items from other pages', so that a listing that runs in circles is seen."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

SKETCH = 16
"""Items by which a page is told from others."""


def sketch_of(ids: pa.StringArray) -> tuple[str, ...]:
    """Return the first of a page's ids, sorted backwards: all of them where there are few.

    Each stands there backwards as well: ids that belong together differ at their ends.
    """
    backwards = pc.binary_reverse(ids.cast(pa.binary()))
    first = pc.select_k_unstable(
        pa.table({"id": backwards}), k=min(SKETCH, len(ids)), sort_keys=[("id", "ascending")]
    )
    return tuple(one.decode("latin-1") for one in backwards.take(first).to_pylist())
