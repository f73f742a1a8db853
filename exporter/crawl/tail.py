"""The tail of a registry: which repositories are claimed, and whether the next is worth it.

Claims are made from the end of the sorted list, so they are always a tail of it, and the first
claimed name is the boundary at which the chain from the front may stop.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container, Iterable

MIN_PAGES_LEFT = 3.0
MIN_IMAGES_LEFT = 4000.0
"""What the front must be expected to have left before its tail is stolen from. A short registry
costs the fewest calls as one chain; and the chain, unlike claims, finds the images of repositories
that are not listed, so the list is trusted only where much time is won by it."""
MAX_REPOSITORIES_PER_PAGE = 20.0
"""Repositories on an average page above which listing them one by one costs too many calls for
what it saves."""
_LISTABLE = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
)  # What `repositoryName` has to match (`API.md`, List calls).


class Tail:
    """The listed repositories of one registry, in the order of their names.

    `boundary` is the first claimed name, or None while nothing is claimed.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = sorted(set(names))
        self._known = frozenset(self._names)
        self.boundary: str | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def claim(self, name: str) -> None:
        """Move the boundary down to a name."""
        if self.boundary is None or name < self.boundary:
            self.boundary = name

    def last_unclaimed(self) -> str | None:
        """Return the repository before the boundary, if there is one."""
        end = self._end()
        return self._names[end - 1] if end else None

    def passed_over(self, met: Container[str]) -> list[str]:
        """Return the unclaimed names that are not among those the front has met."""
        return [name for name in self._names[: self._end()] if name not in met]

    def newcomers(self, names: Iterable[str]) -> list[str]:
        """Return the names behind the boundary that were not listed at first."""
        if self.boundary is None:
            return []
        return sorted(
            name for name in set(names) if name not in self._known and name >= self.boundary
        )

    def pages_left(self, front_name: str, front_pages: int) -> float:
        """Return how many pages the front may have left until the boundary.

        It is in `front_name` after `front_pages` pages; its pace so far is taken to go on.
        """
        passed = bisect_left(self._names, front_name) + 1
        return front_pages * max(self._end() - passed, 0) / passed

    def worth_stealing(self, front_name: str, front_pages: int, front_images: int) -> bool:
        """Say whether the last unclaimed repository is better listed alone, by a free slot.

        The front is in `front_name` after `front_pages` pages with `front_images` images.
        """
        last = self.last_unclaimed()
        if last is None or last <= front_name or not _LISTABLE.fullmatch(last):
            return False
        passed = bisect_left(self._names, front_name) + 1
        pages_left = self.pages_left(front_name, front_pages)
        return (
            pages_left >= MIN_PAGES_LEFT
            and pages_left * front_images / front_pages >= MIN_IMAGES_LEFT
            and passed <= MAX_REPOSITORIES_PER_PAGE * front_pages
        )

    def _end(self) -> int:
        if self.boundary is None:
            return len(self._names)
        return bisect_left(self._names, self.boundary)
