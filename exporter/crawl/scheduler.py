"""What is asked next: the one place that decides which task gets a free slot.

Invariants:

- There are as many slots as `limits.concurrency`, and a task holds one of them for one step. The
  limiter sees to it that there are never more calls under way.
- A task asks for its next page before it has dealt with the one in hand only if it would be the
  next to get a slot. It then keeps its own for that page, because bytes in flight may be held for
  it: tasks that wait for room must not keep it from going on.
- Tasks are taken by rank, then by pages left: discovery first, because it finds the other work,
  then the longest listing, because it sets the length of the run.
- Only a slot for which no task waits may take speculative work, and only while the limiter, which
  has counted all calls begun before, has room to spare: a listing is split further when nothing
  else is lost by it.
- What a free slot does is decided once for each page that was dealt with, not by every slot that
  is free: with many of them, asking each costs more than the pages.
- The scheduler ends when no task waits and none is under way.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from exporter.crawl.task import Task


class Scheduler:
    """Runs tasks in a fixed number of slots until there are no more.

    `idle_task` is asked for a task when none waits and a slot is free; it may return None.
    """

    def __init__(self, slots: int, idle_task: Callable[[], Task | None]) -> None:
        self._slots = slots
        self._idle_task = idle_task
        self._heap: list[tuple[int, float, int, Task]] = []
        self._numbers = count()
        self._active = 0
        self._unasked = 0  # Tasks that were begun and have not run yet.
        self._group: asyncio.TaskGroup | None = None
        self._filling: asyncio.Handle | None = None
        self._idle = asyncio.Event()

    def next_is(self, task: Task) -> bool:
        """Say whether no task that waits would get a slot before this one."""
        return not self._heap or task.priority.order <= self._heap[0][:2]

    def add(self, task: Task) -> None:
        """Queue a task; among equals the one queued first goes first."""
        heapq.heappush(self._heap, (*task.priority.order, next(self._numbers), task))
        if self._group is not None and self._filling is None:
            # Not at once: who adds a task may be in the middle of changing what `idle_task` sees.
            self._fill_soon()

    async def run(self) -> None:
        """Run all tasks, those added meanwhile too; the first error stops everything."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._fill()
                await self._idle.wait()
            finally:
                self._group = None  # Before a group that is cancelled refuses what is begun.

    def _fill_soon(self) -> None:
        self._filling = asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        """Begin as many tasks as there are free slots; what is stolen waits until others have run.

        The limiter, which says what is to spare, does not count their calls before.
        """
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None
        while self._group is not None and self._active < self._slots:
            if self._unasked and not self._heap:
                self._fill_soon()
                return
            task = heapq.heappop(self._heap)[-1] if self._heap else self._idle_task()
            if task is None:
                break
            self._active += 1
            self._unasked += 1
            self._group.create_task(self._step(task))
        if not (self._active or self._heap):
            self._idle.set()

    async def _step(self, task: Task) -> None:
        self._unasked -= 1
        try:
            while (more := await task.run_one()) and task.has_prefetched:
                self._fill()
        except BaseException:
            self._group = None  # What has failed or was cancelled begins nothing more.
            raise
        finally:
            self._active -= 1
        if more:
            self.add(task)
        self._fill()
