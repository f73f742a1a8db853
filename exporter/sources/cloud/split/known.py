"""The images that a registry's own scans have listed, which a split must not list a second time.

A split lists every repository, whatever the registry's own scans have read of it. So it is given
the ids of their images, and cuts those. Arrow holds them in 24 bytes each. A set of texts would
take five times as much, and a large registry may be split late.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import pyarrow as pa
import pyarrow.compute as pc

from exporter.sources.cloud.decode.order import Order, Position, is_behind, is_far_behind
from exporter.sources.cloud.summary import Images, Seen


@dataclass(frozen=True, eq=False)
class _Page:
    """The ids of a page, and its first and last place; None if its order does not tell them."""

    ids: pa.StringArray
    span: tuple[Position, Position] | None

    def may_share(self, span: tuple[Position, Position] | None) -> bool:
        """Return whether an image of this page may be between two places as well."""
        if self.span is None or span is None:
            return True
        (low, high), (begin, end) = self.span, span
        return not (is_far_behind(low, end) or is_far_behind(begin, high))


class KnownImages:
    """The images on the pages of a registry's own scans; at most `most` of them are remembered."""

    def __init__(self, most: int) -> None:
        self.is_whole = True
        """Whether all of them are remembered."""
        self._most = most
        self._count = 0
        self._pages: dict[str, list[_Page]] = {}  # By each repository on the page.

    def __len__(self) -> int:
        """Return how many images are remembered; one that came twice counts twice."""
        return sum(len(page.ids) for page in {one for some in self._pages.values() for one in some})

    def forget(self) -> None:
        """Remember nothing any more: the listing has ended, and needs it no longer."""
        self._pages.clear()

    def add(self, page: Images) -> None:
        """Remember the images of a page, unless that would be too many."""
        if page.order is None:
            return
        self._count += len(page.ids)
        self.is_whole = self.is_whole and self._count <= self._most
        if self.is_whole:
            known = _Page(pa.array(page.ids, pa.string()), _span(page.order))
            for name in page.names:
                self._pages.setdefault(name, []).append(known)

    def among(self, page: Seen) -> tuple[str, ...]:
        """Return the ids of a page that are remembered.

        Where both orders hold, only pages that may show the same times are compared. An image that
        another order has put elsewhere may be missed: its key drops it later.
        """
        span = _span(page.order)
        pages = {known: None for name in page.names for known in self._pages.get(name, ())}
        near = [known.ids for known in pages if known.may_share(span)]
        if not near:
            return ()
        found = pc.is_in(pa.array(page.ids, pa.string()), value_set=pa.concat_arrays(near))
        return tuple(compress(page.ids, found.to_pylist()))


def _span(order: Order) -> tuple[Position, Position] | None:
    """Return the first and the last place of a page by name and time; None if unknown."""
    if not (order.rises or order.falls):
        return None
    first, last = order.first, order.last
    return (last, first) if is_behind(first, last) else (first, last)
