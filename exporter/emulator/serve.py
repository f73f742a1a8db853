"""Running the cloud's emulator as a process of its own: one line when ready, until a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .estate import Estate
from .listening import announce, serve_until_signal
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
    serve_until_signal(
        lambda: Emulator(Estate(shape), behaviour, faults, host=host, port=port),
        on_ready or _announce,
    )


def _announce(emulator: Emulator) -> None:
    shape = emulator.estate.shape
    announce(
        {
            "url": emulator.url,
            "token": min(emulator.behaviour.static_tokens, default=None),
            "clouds": shape.clouds,
            "folders": shape.folders,
            "registries": shape.registries,
            "repositories": shape.repositories,
            "images": shape.images,
        }
    )
