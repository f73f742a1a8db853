"""Whether the pages of a listing still bring new items, decided in bounded memory.

A faulty server may repeat the first page, or some pages, with a new token each time. The listing
would never end. There may be millions of images, so not all can be remembered. This module
remembers a sample, chosen by the same rule on every page.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_STALE_PAGES = 20
"""Pages in a row that may bring nothing new. The limit is higher for a long listing: twice the
pages up to the last new item, because a sound server may begin a listing again and show everything
twice."""
MOST_EMPTY_PAGES = 100
"""Pages in a row that may be empty. Some servers cut their pages first and then drop deleted or
hidden items, so a page of only such items is empty. At 1000 items a page, this many pages are
100,000 items."""
MOST_REMEMBERED = 1024
"""Items of a listing that are remembered."""
ENOUGH_EXPECTED = 32.0
"""Stale pages count only if new ones would have shown this many remembered items on average."""


class Novelty:
    """The remembered items of one listing.

    `stale_pages` is how many pages in a row, up to the latest, brought nothing new; `empty_pages`
    how many in a row were empty.

    A page is known by its sketch: the first few of its items in one fixed order. A sketch is
    complete only up to its last item. So all sketches together are complete up to the least of
    their last items, `_bound`. Items up to there are remembered; the others are ignored.
    """

    def __init__(self) -> None:
        self.stale_pages = 0
        self.empty_pages = 0
        self._gaps = 0  # Empty pages since the latest page that brought something new.
        self._fresh_pages = 0  # Pages that did, and the empty ones before them.
        self._seen: set[str] = set()
        self._bound: str | None = None
        self._items = 0  # On all pages up to the latest that brought something new.
        self._stale_items = 0  # On the pages since then.

    def add(self, sketch: Sequence[str], items: int) -> None:
        """Add a page with so many items; its sketch has all of them, or the first ones.

        A sketch is sorted. A page without a sketch is ignored.
        """
        if not items:
            self.stale_pages += 1
            self.empty_pages += 1
            self._gaps += 1
            return
        self.empty_pages = 0
        if not sketch:
            return
        if items > len(sketch):
            self._forget_beyond(sketch[-1])
        sure = [one for one in sketch if self._bound is None or one <= self._bound]
        self._stale_items += items
        if self._seen.issuperset(sure):
            self.stale_pages += 1
            return
        self._seen.update(sure)
        if len(self._seen) > MOST_REMEMBERED:
            self._forget_beyond(sorted(self._seen)[MOST_REMEMBERED // 2])
        self._items += self._stale_items
        self._fresh_pages += 1 + self._gaps
        self._stale_items = self.stale_pages = self._gaps = 0

    def _forget_beyond(self, bound: str) -> None:
        if self._bound is None or bound < self._bound:
            self._bound = bound
            self._seen = {one for one in self._seen if one <= bound}

    @property
    def ended(self) -> bool:
        """Whether the listing will bring nothing new any more."""
        if self.empty_pages > MOST_EMPTY_PAGES:
            return True
        remembered = len(self._seen) / max(self._items, 1)
        most = max(MOST_STALE_PAGES, 2 * self._fresh_pages)
        return self.stale_pages > most and self._stale_items * remembered >= ENOUGH_EXPECTED
