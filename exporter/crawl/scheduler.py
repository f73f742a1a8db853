"""The scheduler: the one place that decides which task gets a free slot.

Invariants:

- There are as many slots as `limits.concurrency`, and a task holds one of them for one step. The
  limiter ensures that there are never more calls under way.
- A task prefetches its next page only if it would be the next to get a slot. It then keeps its slot
  for that page, because memory may be reserved for it: other tasks that wait for memory must not
  block it.
- Tasks go by rank, then by pages left: discovery first, because it finds the other work, then the
  longest listing, because it decides how long the run takes.
- Only a slot without a waiting task may do speculative work, and only while the limiter, which has
  counted all earlier calls, has room: a listing is split further only if nothing else is delayed.
- The work of a free slot is chosen once for each handled page, not by every free slot: with many of
  them, the choices would cost more than the pages.
- The scheduler ends when no task waits and none is under way.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from exporter.crawl.task import Task


class Scheduler:
    """Runs tasks in a fixed number of slots until there are none left.

    If no task waits and a slot is free, `idle_task` is asked for one; it may return None.
    """

    def __init__(self, slots: int, idle_task: Callable[[], Task | None]) -> None:
        self._slots = slots
        self._idle_task = idle_task
        self._heap: list[tuple[int, float, int, Task]] = []
        self._numbers = count()
        self._active = 0
        self._unasked = 0  # Tasks that have begun and not run yet.
        self._group: asyncio.TaskGroup | None = None
        self._filling: asyncio.Handle | None = None
        self._idle = asyncio.Event()

    def next_is(self, task: Task) -> bool:
        """Return whether no waiting task would get a slot before this one."""
        return not self._heap or task.priority.order <= self._heap[0][:2]

    def add(self, task: Task) -> None:
        """Queue a task; among equals the one queued first goes first."""
        heapq.heappush(self._heap, (*task.priority.order, next(self._numbers), task))
        if self._group is not None and self._filling is None:
            # Not at once: the caller may be changing the state that `idle_task` reads.
            self._fill_soon()

    async def run(self) -> None:
        """Run all tasks, also those added meanwhile; the first error stops everything."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._fill()
                await self._idle.wait()
            finally:
                self._group = None  # First of all, because a cancelled group refuses new tasks.

    def _fill_soon(self) -> None:
        self._filling = asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        """Begin as many tasks as there are free slots; idle tasks begin only after others have run.

        The limiter, which knows the spare capacity, does not count the others' calls before.
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
            self._group = None  # A failed or cancelled task begins no other.
            raise
        finally:
            self._active -= 1
        if more:
            self.add(task)
        self._fill()
