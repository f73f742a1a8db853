"""Bytes in flight: how many pages may be asked for before the earlier ones are dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

PAGE_BYTES_IN_FLIGHT = 96 * 1024 * 1024
"""Bodies that may be under way, decoded or waiting to be written at once.

Where calls are slow, that is more pages than there are slots; where the processor is what limits,
more of them under way would only wait in memory.
"""
_LEARNING = 0.1


class Budget:
    """A bound on the bytes of pages in flight; a single page passes whatever its size.

    Until its body has come, a page is taken to be as large as pages are on average.
    """

    def __init__(self, limit_bytes: int = PAGE_BYTES_IN_FLIGHT) -> None:
        self._limit = limit_bytes
        self._held = 0.0
        self._usual = 0.0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Callable[[int], None]]:
        """Hold the bytes of a page, from before its call until it is handed over.

        Gives a function that is to be told the size of the body once that has come.
        """
        async with self._freed:
            await self._freed.wait_for(self._has_room)
            held = self._usual
            self._held += held
            self._freed.notify()  # There may be room for one more.

        def weigh(body_bytes: int) -> None:
            nonlocal held
            self._held += body_bytes - held
            held = body_bytes
            self._usual += (body_bytes - self._usual) * _LEARNING

        try:
            yield weigh
        finally:
            self._held -= held
            async with self._freed:
                self._freed.notify()

    def _has_room(self) -> bool:
        return not self._held or self._held + self._usual <= self._limit
