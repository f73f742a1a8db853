"""The orders in which images are asked for, and what each of them promises.

Where the API refuses an `orderBy`, the next one of its ladder is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """The direction a chain takes."""

    ASCENDING = "up"
    DESCENDING = "down"


@dataclass(frozen=True)
class Ordering:
    """One `orderBy`, and what it promises.

    `by_name`: repositories come by name. `total`: no two images are equal in it. `by_digest`: that
    is so because digests come first, and else because they come last.
    """

    order_by: str | None
    by_name: bool
    total: bool = False
    by_digest: bool = False


_UP_A_REGISTRY = (
    Ordering("name,created_at,digest", by_name=True, total=True),
    Ordering("name,created_at", by_name=True),
    Ordering("name", by_name=True),
    Ordering(None, by_name=False),
)
_UP_A_REPOSITORY = (
    Ordering("created_at,digest", by_name=True, total=True),
    Ordering("created_at", by_name=True),
    Ordering(None, by_name=True),
)
# A direction is not in the vendor's reference, but it is the form that other list calls of the same
# API take; where it is refused or ignored, the chain upwards goes on alone.
_DOWN_A_REGISTRY = (Ordering("name desc,created_at desc,digest desc", by_name=True, total=True),)
_DOWN_A_REPOSITORY = (Ordering("created_at desc,digest desc", by_name=True, total=True),)
# Another reading is in another order than the one that did not hold.
_AGAIN_A_REGISTRY = (
    Ordering("digest,name", by_name=False, total=True, by_digest=True),
    Ordering(None, by_name=False),
)
_AGAIN_A_REPOSITORY = (
    Ordering("digest", by_name=True, total=True, by_digest=True),
    Ordering(None, by_name=True),
)


def order_fallbacks(
    direction: Direction, repository: str | None, reading: int = 0
) -> tuple[Ordering, ...]:
    """Return what is asked for in turn when the API refuses an `orderBy` with a 400."""
    if reading:
        return _AGAIN_A_REGISTRY if repository is None else _AGAIN_A_REPOSITORY
    if direction is Direction.ASCENDING:
        return _UP_A_REGISTRY if repository is None else _UP_A_REPOSITORY
    return _DOWN_A_REGISTRY if repository is None else _DOWN_A_REPOSITORY
