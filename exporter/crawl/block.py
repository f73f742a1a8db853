"""The block of a registry's repositories that are listed one by one, and whether it should grow.

The chain upwards stops where the block begins, the chain downwards where it ends. So what is
claimed is always one run of the sorted list: it begins in the middle of what lies between the two
chains and grows on the side where more is left, or, without a chain downwards, from the end.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping

from exporter.crawl.chain import ImagesChain

MIN_PAGES_LEFT = 3.0
MIN_SECONDS_LEFT = 1.0
"""What a chain must be expected to have left before a part of it is claimed. A short listing costs
the fewest calls as one chain; and the chain, unlike claims, finds the images of repositories that
are not listed, so the list is trusted only where much time is won by it."""
MAX_REPOSITORIES_PER_PAGE = 20.0
"""Repositories on an average page above which listing them one by one costs too many calls for
what it saves. Nor may they be more than the slots that the registry's own chains leave free: all of
these together would be no faster than one more chain."""
_LISTABLE = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
)  # What `repositoryName` has to match (`API.md`, List calls).


def listable(name: str) -> bool:
    """Say whether the API takes a repository's name as `repositoryName`."""
    return _LISTABLE.fullmatch(name) is not None


class Block:
    """The listed repositories of one registry, by name, and the run of them that is claimed.

    `slots` is how many calls there may be at once.
    """

    def __init__(self, names: Iterable[str] = (), slots: int = 0) -> None:
        self._most_per_page = min(MAX_REPOSITORIES_PER_PAGE, slots - 2.0)
        self._names = sorted(set(names))
        self._known = frozenset(self._names)
        self._start = self._stop = 0

    def __contains__(self, name: object) -> bool:
        """Say whether a repository is listed, claimed or not."""
        return name in self._known

    def __bool__(self) -> bool:
        """Say whether any repository is claimed."""
        return self._start < self._stop

    @property
    def first(self) -> str | None:
        """The first claimed name, if there is one."""
        return self._names[self._start] if self else None

    @property
    def last(self) -> str | None:
        """The last claimed name, if there is one."""
        return self._names[self._stop - 1] if self else None

    def claim(self, name: str) -> list[str]:
        """Extend the block to a name, and return what is claimed with it: all up to there."""
        place = bisect_left(self._names, name)
        if name not in self._known:
            return []
        start, stop = self._start, self._stop
        if not self:
            start = stop = place
        self._start, self._stop = min(start, place), max(stop, place + 1)
        return self._names[self._start : start] + self._names[stop : self._stop]

    def above(self) -> list[str]:
        """Return the unclaimed names behind the block."""
        return self._names[self._stop :] if self else []

    def largest(
        self, up: ImagesChain, down: ImagesChain | None, shares: Mapping[str, float]
    ) -> str | None:
        """Return the unclaimed repository between the chains that may take the most pages.

        `shares` are parts of the registry's images by name; only what would take some pages counts.
        """
        if up.last is None or not self:
            return None
        low, high = self._unmet(up, down)
        passed = sum(share for name, share in shares.items() if name <= up.last.name)
        pages = up.pages / passed if passed else up.pages * len(self._names) / max(low, 1)
        unclaimed = self._names[low : self._start] + self._names[self._stop : high]
        large = [
            name
            for name in unclaimed
            if shares.get(name, 0.0) * pages >= MIN_PAGES_LEFT and listable(name)
        ]
        return max(large, key=lambda name: shares[name], default=None)

    def _unmet(self, up: ImagesChain, down: ImagesChain | None) -> tuple[int, int]:
        """Return the places between which no chain of the registry has come."""
        low, high = 0, len(self._names)
        if up.last is not None:
            low = bisect_right(self._names, up.last.name)
        if down is not None and down.last is not None:
            high = bisect_left(self._names, down.last.name)
        return low, high

    def passed_over(self, met: Container[str]) -> list[str]:
        """Return the unclaimed names that are not among those the chains have met."""
        unclaimed = self._names[: self._start] + self._names[self._stop :]
        return [name for name in unclaimed if name not in met]

    def newcomers(self, names: Iterable[str], *, to_the_end: bool) -> list[str]:
        """Return the names inside the block that were not listed at first.

        `to_the_end`: no chain comes from above, so that all behind the block is inside as well.
        """
        first, last = self.first, self.last
        if first is None or last is None:
            return []
        strangers = sorted(set(names) - self._known)
        return [name for name in strangers if first <= name and (to_the_end or name <= last)]

    def pages_left(self, chain: ImagesChain) -> float:
        """Return how many pages an upwards chain of the registry may have left.

        Its pace over the listed names is taken to go on, and a repository that has filled some
        pages is taken to fill as many more, and one.
        """
        if chain.last is None:
            return 0.0
        passed = bisect_right(self._names, chain.last.name)
        ahead = (self._start if self else len(self._names)) - passed
        by_pace = chain.pages * max(ahead, 0) / passed if passed else 0.0
        return max(by_pace, chain.in_last_name + 1.0 if chain.in_last_name else 0.0)

    def next(self, up: ImagesChain, down: ImagesChain | None) -> str | None:
        """Return the repository to claim next, if a free slot is better used for it.

        `up` and `down` are the registry's own chains; the one that is left less to do by the claim
        is the one that must be expected to have much left.
        """
        if up.last is None:
            return None
        low, high = self._unmet(up, down)
        relieved, passed = up, low
        if not self:
            ahead = (high - low) / (1 if down is None else 2)
            place = high - 1 if down is None else (low + high) // 2
        elif down is None or self._start - low >= high - self._stop:
            ahead, place = float(self._start - low), self._start - 1
        else:
            ahead, place = float(high - self._stop), self._stop
            if down.pages:
                relieved, passed = down, len(self._names) - high
        if not low <= place < high or not self._is_worth_it(relieved, max(passed, 1), ahead):
            return None
        name = self._names[place]
        return name if listable(name) else None

    def _is_worth_it(self, chain: ImagesChain, passed: int, ahead: float) -> bool:
        """Say whether so many repositories ahead take a chain long, at the pace of those passed."""
        return (
            chain.pages * ahead >= MIN_PAGES_LEFT * passed
            and chain.pages * ahead * chain.page_seconds >= MIN_SECONDS_LEFT * passed
            and passed <= self._most_per_page * chain.pages
        )
