"""Which children of known indexes are asked for, so that it is noticed when they are gone.

An index is known whole here if an earlier run found everything that it refers to, in the same
repository. To ask for all of that again would be a call for each child and night, so a few are
asked for: the first that the listing comes to, and one of each repository in `TURNS` nights. What
takes children away, such as the garbage collector of CNCF distribution, takes all of them. So where
one is gone, all others are asked for as well, of all repositories that have not ended. They wait
until the answers for the first ones have come.

What was not asked for is not known to be there: `image_references.present` is null. So a single
child that somebody has deleted may be noticed only after many nights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

FIRST = 48
"""Children of a registry that are asked for as soon as the listing comes to them."""
TURNS = 17
"""Nights within which one child of each repository is asked for. It is a prime, so that each has
its turn also where exports share a cache, and a registry has only every second or fourth number."""


class Proofs:
    """Those of one registry; `night` is a number that grows with each run on the same cache.

    `first` children are asked for as soon as the listing comes to them.
    """

    def __init__(self, night: int, first: int = FIRST) -> None:
        self._night = night
        self._left = first
        self._open = 0
        self._waiting: list[Callable[[], None]] = []
        self.one_is_gone = False
        """Whether a child of an index that was known whole is gone."""

    def choose(self, repository_name: str, children: Sequence[str]) -> Sequence[str]:
        """Return the children to ask for first; other ones each night."""
        count = min(self._left, len(children))
        self._left -= count
        if not count and not (crc32(repository_name.encode()) + self._night) % TURNS:
            count = 1
        return sorted(children, key=self._turn)[:count]

    def begin(self) -> None:
        """Note that some children are asked for; `end` must follow."""
        self._open += 1

    def end(self) -> None:
        """Note that the answers for them have come."""
        self._open -= 1
        if not self._open:
            waiting, self._waiting = self._waiting, []
            for then in waiting:
                then()

    def when_known(self, then: Callable[[], None]) -> None:
        """Call `then` once no answer is open."""
        if self._open:
            self._waiting.append(then)
        else:
            then()

    def _turn(self, digest: str) -> int:
        return crc32(f"{self._night} {digest}".encode())
