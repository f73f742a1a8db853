"""A registry's repositories: how much of it is left, and whether to list each of them alone.

Listed one by one, all are: what a page of the registry's own chain shows of a repository says
nothing about what else is in it, as one image out of its place stands where no chain comes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate

from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan

_LISTABLE = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
)  # What `repositoryName` has to match (`README.md`, List calls).


def listable(name: str) -> bool:
    """Say whether the API takes a repository's name as `repositoryName`."""
    return _LISTABLE.fullmatch(name) is not None


class RepositoryPartition:
    """The listed repositories of one registry, by name; `slots` is how many calls may be at once.

    With few of them, listing one by one would be no faster than two chains that meet.
    """

    def __init__(self, names: Iterable[str], slots: int, policy: SplitPolicy) -> None:
        self._policy = policy
        self._most_per_page = min(policy.max_calls_per_page, slots / 2)
        self._names = sorted(set(names))
        self._known = frozenset(self._names)
        self._listable = all(map(listable, self._names))
        self._shares: Mapping[str, float] = {}
        self._images: float | None = None
        # As long as nothing else is known, they are all taken to be of the same size.
        self._before = list(accumulate((1.0 for _ in self._names), initial=0.0))

    def weigh(self, shares: Mapping[str, float], images: float | None) -> None:
        """Take how many images there may be, and which part of them is in which repository.

        Of which a sample tells; it may not tell the number.
        """
        self._shares, self._images = shares, images
        weights = [shares.get(name, self._policy.unseen_share) for name in self._names]
        whole = sum(weights) or 1.0
        self._before = list(accumulate((one / whole for one in weights), initial=0.0))

    def __contains__(self, name: object) -> bool:
        """Say whether a repository is listed."""
        return name in self._known

    @property
    def names(self) -> list[str]:
        """All names, the largest repositories first as far as a sample tells."""
        return sorted(self._names, key=lambda name: (-self._shares.get(name, 0.0), name))

    def pages_of(self, name: str, up: Scan) -> float:
        """Return how many pages a repository may take as far as a sample tells, or 0."""
        return self._shares.get(name, 0.0) * self._pace(up)

    def is_large(self, name: str, up: Scan) -> bool:
        """Say whether a sample shows that a repository takes some pages."""
        return self.pages_of(name, up) >= self._policy.large_pages

    def unlisted(self, names: Iterable[str]) -> list[str]:
        """Return the names that were not listed at first."""
        return sorted(set(names) - self._known)

    def _left(self, up: Scan | None, down: Scan | None) -> float:
        """Return the weight of what lies between the places to which two chains have come."""
        low, high = 0, len(self._names)
        if up is not None and up.last is not None:
            low = bisect_right(self._names, up.last.name)
        if down is not None and down.last is not None:
            high = bisect_left(self._names, down.last.name)
        return self._before[high] - self._before[low]

    def _pace(self, scan: Scan) -> float:
        """Return how many pages a chain may take for the weight of one; 0 before its first."""
        if scan.last is None or not scan.pages:
            return 0.0
        if self._images is not None:
            return self._images / scan.per_page
        if scan.direction is Direction.ASCENDING:
            passed = self._before[bisect_right(self._names, scan.last.name)]
        else:
            passed = self._before[-1] - self._before[bisect_left(self._names, scan.last.name)]
        return scan.pages / (passed or 1.0)

    def pages_left(self, scan: Scan, partner: Scan | None = None) -> float:
        """Return how many pages a chain of the registry may have left; `partner` comes to meet it.

        Its pace is taken to go on, and a repository that has filled some pages is taken to fill
        as many more, and one.
        """
        up, down = (scan, partner) if scan.direction is Direction.ASCENDING else (partner, scan)
        ahead = self._left(up, down) / (1 if partner is None else 2)
        pace = self._pace(scan) or (self._pace(partner) if partner is not None else 0.0)
        pace = pace or self._policy.pages_per_repository
        return max(ahead * pace, scan.in_last_name + 1.0 if scan.in_last_name else 0.0)

    def is_worth_splitting(self, up: Scan, down: Scan | None) -> bool:
        """Say whether free slots are better used by listing all repositories one by one.

        `up` and `down` are the registry's own chains. What they have listed is listed again.
        """
        if up.last is None or not self._names or not self._listable:
            return False
        pages = max(self._left(up, down), 0.0) * self._pace(up)
        again = sum(scan.pages for scan in (up, down) if scan is not None)
        calls = len(self._names) + again + pages
        seconds = pages * up.page_seconds / (1 if down is None else 2)
        return (
            pages >= self._policy.min_pages_left
            and seconds >= self._policy.min_seconds_left
            and calls <= self._most_per_page * pages
        )
