"""What tells a page's items from other pages', so that a listing that runs in circles is seen."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from zlib import crc32

SKETCH = 16
"""Items by which a page is told from others."""


def sketch_of(ids: Iterable[str]) -> tuple[str, ...]:
    """Return what stands for a page's items, sorted: for all of them, or for the first few.

    The order is that of checksums, which has nothing to do with the order of the listing or of the
    ids: what a listing shows late must not always stand behind what it has shown before.
    """
    return tuple(f"{one:08x}" for one in nsmallest(SKETCH, (crc32(id_.encode()) for id_ in ids)))
