"""Bytes in flight: how many pages may be asked for before the earlier ones are dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PAGE_BYTES_IN_FLIGHT = 48 * 1024 * 1024
"""Bodies that may be under way, decoded or waiting to be written at once, by their usual size.

Where calls are slow, that is more pages than there are slots; where the processor is what limits,
more of them under way would only wait in memory.
"""
_FADE = 0.98


class Budget:
    """A bound on the bytes of pages in flight; a single page passes whatever its size."""

    def __init__(self, limit_bytes: int = PAGE_BYTES_IN_FLIGHT) -> None:
        self._limit = limit_bytes
        self._held = 0.0
        self._usual = 0.0
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def page(self) -> AsyncIterator[None]:
        """Hold the bytes of a page of usual size, from before its call until it is handed over."""
        async with self._freed:
            await self._freed.wait_for(
                lambda: not self._held or self._held + self._usual <= self._limit
            )
            held = self._usual
            self._held += held
        try:
            yield
        finally:
            self._held -= held
            async with self._freed:
                self._freed.notify_all()

    def learn(self, body_bytes: int) -> None:
        """Take the size of a page that has come: the usual size is that of the largest of late."""
        self._usual = max(float(body_bytes), self._usual * _FADE)
