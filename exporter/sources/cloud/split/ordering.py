"""The orders that a scan asks for, one after the other if the API refuses one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from exporter.http.types import Call

READING = 100
"""Attempts are numbered from this number times the earlier readings of the same scope."""


class Direction(Enum):
    """The direction of a scan."""

    ASCENDING = "up"
    DESCENDING = "down"


@dataclass(frozen=True)
class Ordering:
    """One `orderBy`, and what it promises.

    `total`: no two images are equal in it. `by_digest`: that is because digests come first; else
    because they come last.
    """

    order_by: str | None
    total: bool = False
    by_digest: bool = False


_UP_A_REGISTRY = (
    Ordering("name,created_at,digest", total=True),
    Ordering("name,created_at"),
    Ordering("name"),
    Ordering(None),
)
_UP_A_REPOSITORY = (
    Ordering("created_at,digest", total=True),
    Ordering("created_at"),
    Ordering(None),
)
# The vendor's reference names no direction, but other list calls of the same API take this form.
# If it is refused or ignored, the ascending scan continues alone.
_DOWN_A_REGISTRY = (Ordering("name desc,created_at desc,digest desc", total=True),)
_DOWN_A_REPOSITORY = (Ordering("created_at desc,digest desc", total=True),)
# Another reading asks for another order, because the first has not held.
_AGAIN_A_REGISTRY = (Ordering("digest,name", total=True, by_digest=True), Ordering(None))
_AGAIN_A_REPOSITORY = (Ordering("digest", total=True, by_digest=True), Ordering(None))


def order_fallbacks(
    direction: Direction, repository: str | None, reading: int = 0
) -> tuple[Ordering, ...]:
    """Return the orders to ask for, in turn, if the API refuses an `orderBy` with a 400."""
    if reading:
        return _AGAIN_A_REGISTRY if repository is None else _AGAIN_A_REPOSITORY
    if direction is Direction.ASCENDING:
        return _UP_A_REGISTRY if repository is None else _UP_A_REPOSITORY
    return _DOWN_A_REGISTRY if repository is None else _DOWN_A_REPOSITORY


class ScanAttempts:
    """The attempts of one scan: each begins at the first page, maybe in another order.

    `fallback` counts the orders given up before the current one, and `reading` how often the same
    scope was listed to its end before. `number` tells an attempt's pages from all others.
    """

    def __init__(
        self, base: Call, fallbacks: tuple[Ordering, ...], fallback: int, reading: int
    ) -> None:
        self.reading = reading
        self._base = base
        self._fallbacks = fallbacks
        self.begin_with(fallback)

    @property
    def ordering(self) -> Ordering:
        """The current order."""
        return self._fallbacks[self.fallback]

    @property
    def first_call(self) -> Call:
        """The call for the first page in that order."""
        order_by = self.ordering.order_by
        return self._base if order_by is None else self._base.with_params(orderBy=order_by)

    def next(self) -> None:
        """Begin another attempt, in the same order."""
        self.number += 1

    def without_order(self) -> None:
        """Ask for no order from here on."""
        self.fallback = len(self._fallbacks) - 1

    def fall_back(self) -> bool:
        """Ask for the next order from here on; return False if this was the last."""
        if self.fallback + 1 >= len(self._fallbacks):
            return False
        self.fallback += 1
        return True

    def begin_with(self, fallback: int) -> None:
        """Forget all attempts, and begin with the order number `fallback`, or with the last one."""
        self.fallback = min(fallback, len(self._fallbacks) - 1)
        self.number = self.reading * READING
