"""Listening on an address until a signal: what every emulator does, whatever it answers."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, TypeVar

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

_ServedT = TypeVar("_ServedT")


class ListenError(Exception):
    """The emulator cannot listen on its address; the text says why."""


class Listener:
    """Serves an application on an address; port 0 takes any free one, and keeps it from then on."""

    def __init__(self, host: str, port: int) -> None:
        self.url = ""
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    async def start(self, app: web.Application) -> None:
        """Begin to serve, and set `url`.

        Raises:
            ListenError: The address is in use, or not one of this machine.

        """
        # If a caller leaves, its call must end, above all a call that hangs.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            # asyncio's message repeats the address and the cause.
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error.strerror
            raise ListenError(f"{self._host}:{self._port}: {reason}") from None
        host, self._port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{self._port}"

    async def stop(self) -> None:
        """Stop to serve, and break all connections off."""
        if self._runner is not None:
            await self._runner.cleanup()


def serve_until_signal(
    make: Callable[[], AbstractAsyncContextManager[_ServedT]],
    on_ready: Callable[[_ServedT], None],
) -> None:
    """Serve what `make` makes until SIGTERM or SIGINT; `on_ready` is told once it listens."""
    asyncio.run(_serve(make, on_ready))


async def _serve(
    make: Callable[[], AbstractAsyncContextManager[_ServedT]],
    on_ready: Callable[[_ServedT], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    emulator = make()
    # The estate stays in memory: repeated garbage collection of it costs a third of a page's time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    async with emulator as served:
        on_ready(served)
        await stop.wait()


def announce(ready: Mapping[str, object]) -> None:
    """Write one line of JSON to stdout: where the emulator is, and what it has."""
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
