"""A task: one listing's work, of which the scheduler runs one step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Rank(IntEnum):
    """The rank of a task, which counts before its pages left."""

    DISCOVERY = 0
    """Finds the other work."""
    LISTING = 1


@dataclass(frozen=True)
class Priority:
    """The place of a task among those that wait for a slot.

    Within a rank, the task with the most `pages_left`, as far as they are known, goes first.
    """

    rank: Rank
    pages_left: float = 1.0

    @property
    def order(self) -> tuple[int, float]:
        """The sort key of tasks: the first goes first."""
        return (self.rank, -self.pages_left)


class Task(Protocol):
    """A task: each step is one page or one call."""

    @property
    def priority(self) -> Priority:
        """Its priority among the waiting tasks; read each time it is queued."""
        ...

    @property
    def has_prefetched(self) -> bool:
        """Whether its next page was already asked for, so that the task keeps its slot."""
        ...

    async def run_one(self) -> bool:
        """Run one step; return True to be queued again."""
        ...
