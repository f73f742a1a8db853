"""Whether the pages of a listing still bring something new, told in bounded memory.

A server that answers every page with the first one, or with some pages over and over, and a new
token each time, would be asked for ever. What a listing has shown cannot all be remembered: there
may be millions of images. So some of it is, chosen so that the choice is the same on every page.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_STALE_PAGES = 20
"""Pages in a row that may bring nothing new; where more than half as many have come up to the last
new thing, twice those: one listing may honestly begin anew, and show everything again before it
ends."""
MOST_EMPTY_PAGES = 100
"""Of them, pages in a row that may be empty. A server that leaves out what is deleted, or hidden,
only after it has cut its pages gives an empty one for each page's worth of such neighbours: at 1000
items a page, this many stand for 100,000."""
MOST_REMEMBERED = 1024
"""Items of a listing that are remembered."""
ENOUGH_EXPECTED = 32.0
"""Remembered items that pages of new ones would have shown by now, before their absence counts."""


class Novelty:
    """What one listing has shown so far, as far as that is remembered.

    `stale_pages` is how many pages in a row have brought nothing new, `empty_pages` how many of
    them, up to the latest, were empty.

    A page is told by its sketch: the first of its items in one fixed order, a few of them at most.
    All sketches together are sure about the items up to the least end of any of them, `_bound`:
    those are remembered, and of the others nothing is said.
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
        """Take a page with so many items; its sketch has all of them, or its first.

        What a sketch has is sorted; of a page without one nothing is known.
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
        """Whether nothing new is to be expected any more."""
        if self.empty_pages > MOST_EMPTY_PAGES:
            return True
        remembered = len(self._seen) / max(self._items, 1)
        most = max(MOST_STALE_PAGES, 2 * self._fresh_pages)
        return self.stale_pages > most and self._stale_items * remembered >= ENOUGH_EXPECTED
