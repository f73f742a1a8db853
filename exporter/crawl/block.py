"""The block of a registry's repositories that are listed one by one, and whether it should grow.

The chain upwards stops where the block begins, the chain downwards where it ends. So what is
claimed is always one run of the sorted list: it begins in the middle of what lies between the two
chains and grows on the side where more is left, or, without a chain downwards, from the end.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping
from itertools import accumulate

from exporter.crawl.chain import ImagesChain, Mode

MIN_PAGES_LEFT = 2.0
MIN_SECONDS_LEFT = 0.5
"""What a chain must be expected to have left before a part of it is claimed."""
FIRST_CLAIM = 2.0
"""How many times as many seconds it must have left before the first claim. That one brings with it
a sample, a second reading of the list, and trust in it: the chain, unlike claims, finds the images
of repositories that are not listed."""
UNSEEN = 0.0005
"""The part of a registry's images that a repository has which is not in a sample of them: half an
image of a thousand."""
PAGES_PER_REPOSITORY = 0.1
"""What a repository is taken to fill of a page before any of its registry is known: which of many
first pages goes first decides when the longest listing goes on."""
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
        self._shares: Mapping[str, float] = {}
        self._images: float | None = None
        # As long as nothing else is known, they are all taken to be of the same size.
        self._before = list(accumulate((1.0 for _ in self._names), initial=0.0))

    def weigh(self, shares: Mapping[str, float], images: float | None) -> None:
        """Take how many images there may be, and which part of them is in which repository.

        Of which a sample tells; it may not tell the number.
        """
        self._shares, self._images = shares, images
        weights = [shares.get(name, UNSEEN) for name in self._names]
        whole = sum(weights) or 1.0
        self._before = list(accumulate((one / whole for one in weights), initial=0.0))

    def __contains__(self, name: object) -> bool:
        """Say whether a repository is listed, claimed or not."""
        return name in self._known

    def __bool__(self) -> bool:
        """Say whether any repository is claimed."""
        return self._start < self._stop

    def claims(self, name: str) -> bool:
        """Say whether a listed repository is claimed."""
        return self._start <= bisect_left(self._names, name) < self._stop

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
        self, up: ImagesChain, down: ImagesChain | None, but_not: Container[str]
    ) -> str | None:
        """Return the unclaimed repository between the chains that may take the most pages.

        Only one counts that would take some pages, as far as a sample tells.
        """
        if up.last is None or not self:
            return None
        low, high = self._unmet(up, down)
        unclaimed = self._names[low : self._start] + self._names[self._stop : high]
        large = [
            name
            for name in unclaimed
            if self.pages_of(name, up) >= MIN_PAGES_LEFT and name not in but_not and listable(name)
        ]
        return max(large, key=lambda name: self._shares[name], default=None)

    def pages_of(self, name: str, up: ImagesChain) -> float:
        """Return how many pages a repository may take as far as a sample tells, or 0."""
        return self._shares.get(name, 0.0) * self._pace(up)

    def _unmet(self, up: ImagesChain | None, down: ImagesChain | None) -> tuple[int, int]:
        """Return the places between which no chain of the registry has come."""
        low, high = 0, len(self._names)
        if up is not None and up.last is not None:
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

    def _pace(self, chain: ImagesChain) -> float:
        """Return how many pages a chain may take for the weight of one; 0 before its first."""
        if chain.last is None or not chain.pages:
            return 0.0
        if self._images is not None:
            return self._images / chain.per_page
        if chain.mode is Mode.UP:
            passed = self._before[bisect_right(self._names, chain.last.name)]
        else:
            passed = self._before[-1] - self._before[bisect_left(self._names, chain.last.name)]
        return chain.pages / (passed or 1.0)

    def pages_left(self, chain: ImagesChain, partner: ImagesChain | None = None) -> float:
        """Return how many pages a chain of the registry may have left; `partner` comes to meet it.

        Its pace is taken to go on, and a repository that has filled some pages is taken to fill
        as many more, and one.
        """
        up, down = (chain, partner) if chain.mode is Mode.UP else (partner, chain)
        low, high = self._unmet(up, down)
        if not self:
            ahead = (self._before[high] - self._before[low]) / (1 if partner is None else 2)
        elif chain is up:
            ahead = self._before[self._start] - self._before[low]
        else:
            ahead = self._before[high] - self._before[self._stop]
        pace = self._pace(chain) or (self._pace(partner) if partner is not None else 0.0)
        pace = pace or PAGES_PER_REPOSITORY
        return max(ahead * pace, chain.in_last_name + 1.0 if chain.in_last_name else 0.0)

    def next(self, up: ImagesChain, down: ImagesChain | None) -> str | None:
        """Return the repository to claim next, if a free slot is better used for it.

        `up` and `down` are the registry's own chains; the one that is left less to do by the claim
        is the one that must be expected to have much left.
        """
        if up.last is None:
            return None
        low, high = self._unmet(up, down)
        before = self._before
        relieved, names, share = up, high - low, 1.0
        if not self:
            place, weight = high - 1, before[high] - before[low]
            if down is not None:
                middle = (before[low] + before[high]) / 2
                place, share = min(bisect_right(before, middle), high) - 1, 0.5
        elif down is None or before[self._start] - before[low] >= before[high] - before[self._stop]:
            place, names = self._start - 1, self._start - low
            weight = before[self._start] - before[low]
        else:
            place, names = self._stop, high - self._stop
            weight = before[high] - before[self._stop]
            if down.pages:
                relieved = down
        if not low <= place < high:
            return None
        pages = weight * self._pace(relieved)
        if not self._is_worth_it(relieved, pages * share, names / pages if pages else math.inf):
            return None
        name = self._names[place]
        return name if listable(name) else None

    def _is_worth_it(self, chain: ImagesChain, pages: float, names_per_page: float) -> bool:
        """Say whether so many pages take a chain so long that some should be claimed."""
        seconds = MIN_SECONDS_LEFT if self else MIN_SECONDS_LEFT * FIRST_CLAIM
        return (
            pages >= MIN_PAGES_LEFT
            and pages * chain.page_seconds >= seconds
            and names_per_page <= self._most_per_page
        )
