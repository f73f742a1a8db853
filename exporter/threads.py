"""Work in a thread that a coroutine waits for to the end, even if it is cancelled.

`asyncio.to_thread` leaves its thread running once the coroutine is cancelled. Work that needs the
output's lock must end before the lock is released: another run would write the same files.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from typing import TypeVar

_ASK_AGAIN = 0.1
"""Seconds between two interrupts: an interrupt between two queries has no effect."""

_T = TypeVar("_T")


class StoppedError(Exception):
    """The work was asked to stop, and has stopped."""


class Stop:
    """Asks work to stop; each method may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._interrupts: list[Callable[[], None]] = []

    def ask(self) -> None:
        """Ask the work to stop, and interrupt what it waits for."""
        # Under the lock, so that no thread closes meanwhile what is interrupted.
        with self._lock:
            self._asked = True
            for interrupt in self._interrupts:
                interrupt()

    def check(self) -> None:
        """Raise `StoppedError` if the work was asked to stop."""
        if self._asked:
            raise StoppedError

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Have `ask` call `interrupt` during the block; raises `StoppedError` if it came before."""
        with self._lock:
            self.check()
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)


async def in_thread(work: Callable[[Stop], _T], executor: Executor | None = None) -> _T:
    """Return what `work` returns, called in a thread of the executor, or of the loop's own.

    Cancelled, it asks the work to stop, and raises `CancelledError` once the work has ended.
    """
    stop = Stop()
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(executor, context.run, work, stop)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            stop.ask()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running], timeout=_ASK_AGAIN)
        if not running.cancelled():
            running.exception()  # What it ended of is no news to who cancelled it.
        raise
