"""Running the emulator as a process of its own: one line when ready, until a signal."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING

import orjson

from .estate import Estate
from .server import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from .behaviour import Behaviour
    from .faults import Faults
    from .shape import Shape


def serve(
    shape: Shape,
    behaviour: Behaviour | None = None,
    faults: Faults | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[Emulator], None] | None = None,
) -> None:
    """Serve an estate until SIGTERM or SIGINT, then return.

    `on_ready` is called once the emulator listens; by default it writes one line of JSON to
    stdout: `url`, `token` (a bearer token it accepts, or null) and the shape's counts.
    """
    ready = on_ready or _announce
    asyncio.run(_serve(shape, behaviour, faults, host=host, port=port, on_ready=ready))


async def _serve(
    shape: Shape,
    behaviour: Behaviour | None,
    faults: Faults | None,
    *,
    host: str,
    port: int,
    on_ready: Callable[[Emulator], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    estate = Estate(shape)
    # The estate stays in memory: repeated garbage collection of it costs a third of a page's time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    async with Emulator(estate, behaviour, faults, host=host, port=port) as emulator:
        on_ready(emulator)
        await stop.wait()


def _announce(emulator: Emulator) -> None:
    shape = emulator.estate.shape
    ready = {
        "url": emulator.url,
        "token": min(emulator.behaviour.static_tokens, default=None),
        "clouds": shape.clouds,
        "folders": shape.folders,
        "registries": shape.registries,
        "repositories": shape.repositories,
        "images": shape.images,
    }
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
