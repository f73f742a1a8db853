"""A task: one listing's work, of which the scheduler runs one step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Rank(IntEnum):
    """Which tasks go first, whatever they have left."""

    DISCOVERY = 0
    """It finds the other work."""
    LISTING = 1


@dataclass(frozen=True)
class Priority:
    """Which of the tasks that wait gets the next free slot.

    Within a rank, the task with the most `pages_left`, as far as can be known, goes first.
    """

    rank: Rank
    pages_left: float = 1.0

    @property
    def order(self) -> tuple[int, float]:
        """A key by which tasks sort, the first to go first."""
        return (self.rank, -self.pages_left)


class Task(Protocol):
    """Something that takes one page or sends one call at a time."""

    @property
    def priority(self) -> Priority:
        """Its place among the tasks that wait; read each time it is queued."""
        ...

    @property
    def has_prefetched(self) -> bool:
        """Whether its next page is already asked for, so that the task keeps its slot for it."""
        ...

    async def run_one(self) -> bool:
        """Run one step; return True to be queued again."""
        ...
