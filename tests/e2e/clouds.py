"""The emulator in a thread of the test's own process, with a hook on the calls it is asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from exporter.emulator import (
    STATIC_TOKEN,
    Behaviour,
    CallLog,
    Emulator,
    Estate,
    Faults,
    LoggedCall,
    Shape,
)

SMALL = Shape(clouds=2, folders=4, registries=5, repositories=18, images=150, layers=5)
"""An estate with a bit of everything that lists in a few dozen calls."""


class Cloud:
    """A served estate, for as long as the `with` block lasts.

    `url` is where every service answers, `token` what it accepts; `calls` is its log.
    """

    token = STATIC_TOKEN

    def __init__(
        self,
        estate: Estate | Shape = SMALL,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.estate = estate if isinstance(estate, Estate) else Estate(estate)
        self._emulator = Emulator(self.estate, behaviour, faults)
        self._emulator.calls = self.calls = WatchedLog()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(100), "the emulator does not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(100)
        assert not self._thread.is_alive(), "the emulator does not stop"

    @property
    def url(self) -> str:
        return self._emulator.url

    @property
    def faults(self) -> Faults:
        return self._emulator.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._emulator.faults = faults

    @property
    def behaviour(self) -> Behaviour:
        return self._emulator.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._emulator.behaviour = behaviour

    def mend(self) -> None:
        """Make everything go well from now on."""
        self.faults = Faults()

    def deny(self, *ids: str) -> None:
        """Answer 403 for these scopes, and all that is in them."""
        self.faults = replace(self.faults, denied=frozenset(ids))

    def stop(self) -> None:
        """Stop listening and break all connections off, as soon as the server's thread can."""
        self._soon(self._emulator.__aexit__(None, None, None))

    def go_on(self) -> None:
        """Listen again, at the same address."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._emulator.__aenter__(), self._loop).result(10)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._emulator:
            self._ready.set()
            await self._stop.wait()


class WatchedLog(CallLog):
    """A log that can do something at the moment a certain call was answered."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._act: Callable[[], None] | None = None
        self._counts: Callable[[LoggedCall], bool] = is_page

    def after(
        self,
        count: int,
        act: Callable[[], None],
        counts: Callable[[LoggedCall], bool] | None = None,
    ) -> None:
        """Call `act` once, as soon as `count` more calls that `counts` were answered."""
        self._left, self._act, self._counts = count, act, counts or is_page

    @property
    def has_acted(self) -> bool:
        """Whether what was to be done `after` so many calls was done."""
        return self._left == 0

    def leave(self, call: LoggedCall) -> None:
        super().leave(call)
        if self._act is not None and self._left and self._counts(call):
            self._left -= 1
            if not self._left:
                self._act()


def is_page(call: LoggedCall) -> bool:
    """Whether a call was answered with a page of images."""
    return call.status == 200 and call.path.endswith("/images")


def page_asked(call: LoggedCall) -> tuple[str, ...]:
    """Return what a call asked for, so that the same page asked again gives the same."""
    return (call.path, *(f"{name}={value}" for name, value in sorted(call.query.items())))
