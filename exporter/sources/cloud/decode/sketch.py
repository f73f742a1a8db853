"""The sketch of a page, which identifies its items: a listing that repeats itself is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

SKETCH = 16
"""The most items in a sketch."""


def sketch_of(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the sketch of a page: sorted checksums of all its items, or of those with the lowest.

    The order of checksums has nothing to do with the order of the listing or of the ids. So items
    that a listing shows late are not always behind those that it showed before.
    """
    # With `map`, there is no step in Python for each of a page's thousand items.
    checksums = sorted(map(crc32, map(str.encode, ids)))
    return tuple(f"{one:08x}" for one in checksums[:SKETCH])
