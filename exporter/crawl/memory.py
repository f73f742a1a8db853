"""The memory of pages in flight, which limits how many pages are asked for at once."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from types import TracebackType
from typing import Self

_LEARNING = 0.1


class MemoryReservation:
    """The bytes of one page in flight; until its body has come, those of an average page.

    A context manager: at its end they are released, unless the writer has them by then.
    """

    def __init__(self, budget: MemoryBudget, usual: float) -> None:
        self._budget = budget
        self._bytes = usual
        self._handed_over = False

    def __enter__(self) -> Self:
        """Return the reservation itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the bytes of a page that will not be written."""
        if not self._handed_over:
            self.release()

    def resize(self, body_bytes: int) -> None:
        """Set the size to that of the body, which has come."""
        self._budget.resize(self._bytes, body_bytes)
        self._bytes = body_bytes

    def keep_until_written(self) -> None:
        """Leave it to the writer to `release` the bytes."""
        self._handed_over = True

    def release(self) -> None:
        """Release the bytes; a second call does nothing."""
        self._budget.free(self._bytes)
        self._bytes = 0.0


class MemoryBudget:
    """A bound on the bytes of pages in flight; a single page passes whatever its size.

    With it, a slow disk slows the calls down instead of filling memory. Of the pages that wait for
    room, the one of the largest weight goes first. A page counts `usual_bytes` until the first
    pages have come.
    """

    def __init__(self, limit_bytes: int, usual_bytes: float = 0.0) -> None:
        self._limit = limit_bytes
        self._held = 0.0
        self._usual = usual_bytes  # An average page.
        self._waiting: list[tuple[float, int, asyncio.Future[MemoryReservation]]] = []
        self._numbers = count()

    async def reserve(self, weight: float) -> MemoryReservation:
        """Wait for room for a page, before its call, and reserve it."""
        turn: asyncio.Future[MemoryReservation] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-weight, next(self._numbers), turn))
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                turn.result().release()
            raise

    def resize(self, before: float, body_bytes: int) -> None:
        """Correct the size of a page for which `before` bytes were reserved."""
        self._held += body_bytes - before
        self._usual += (body_bytes - self._usual) * _LEARNING
        self._admit()

    def free(self, held_bytes: float) -> None:
        """Free bytes, and admit as many waiting pages as there is room for."""
        self._held -= held_bytes
        self._admit()

    def _admit(self) -> None:
        while self._waiting and (self._held <= 0 or self._held + self._usual <= self._limit):
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.cancelled():
                self._held += self._usual
                turn.set_result(MemoryReservation(self, self._usual))
