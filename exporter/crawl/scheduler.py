"""What is asked next: the one place that decides which job gets a free worker.

Invariants:

- There are as many workers as `limits.concurrency`, a job holds one of them for one page, and a
  worker makes one call at a time: never are more calls under way.
- Jobs are taken by rank, then by weight: discovery first, because it finds the other work, then
  the longest listing, because it sets the length of the run.
- Only a worker that finds no job waiting may take speculative work, and only while the limiter
  has room to spare: work is stolen from the tail of a listing when nothing else is lost by it.
- The run of jobs ends when none waits and none is under way.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol


class Job(Protocol):
    """Something that takes one page at a time; `step` says whether there is more to do."""

    @property
    def rank(self) -> int:
        """Smaller goes first, whatever the weights."""
        ...

    @property
    def weight(self) -> float:
        """Pages that may still come; larger goes first within a rank."""
        ...

    async def step(self) -> bool:
        """Ask for one page and deal with it; return True to be queued again."""
        ...


class Scheduler:
    """Runs jobs on a fixed number of workers until there are no more.

    `steal` is asked for a job when none is waiting; it may return None.
    """

    def __init__(self, workers: int, steal: Callable[[], Job | None]) -> None:
        self._workers = workers
        self._steal = steal
        self._heap: list[tuple[int, float, int, Job]] = []
        self._numbers = count()
        self._active = 0
        self._changed = asyncio.Event()

    def add(self, job: Job) -> None:
        """Queue a job; among equals the one queued first goes first."""
        heapq.heappush(self._heap, (job.rank, -job.weight, next(self._numbers), job))
        self._changed.set()

    async def run(self) -> None:
        """Run all jobs, those added meanwhile too; the first error stops everything."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            job = heapq.heappop(self._heap)[-1] if self._heap else self._steal()
            if job is None:
                if not self._active:
                    self._changed.set()
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            self._active += 1
            try:
                more = await job.step()
            finally:
                self._active -= 1
                self._changed.set()
            if more:
                self.add(job)
