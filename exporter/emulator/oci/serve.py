"""Running the registry's emulator as a process of its own: one line when ready, until a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.emulator.listening import announce, serve_until_signal

from .behaviour import PASSWORD, USER
from .server import OciEmulator

if TYPE_CHECKING:
    from exporter.emulator.faults import Faults

    from .behaviour import Behaviour
    from .shape import Shape


def serve_registry(
    shape: Shape,
    behaviour: Behaviour | None = None,
    faults: Faults | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> None:
    """Serve a registry until SIGTERM or SIGINT, then return.

    Once it listens, it writes one line of JSON to stdout: `url`, `registry` (its host and port),
    who is let in, and the shape's counts.
    """
    serve_until_signal(
        lambda: OciEmulator(shape, behaviour, faults, host=host, port=port), _announce
    )


def _announce(emulator: OciEmulator) -> None:
    shape = emulator.estate.shape
    is_open = emulator.behaviour.access == "anonymous"
    announce(
        {
            "url": emulator.url,
            "registry": emulator.host + emulator.behaviour.prefix,
            "username": None if is_open else USER,
            "password": None if is_open else PASSWORD,
            "repositories": shape.repositories,
            "tags": shape.tags,
            "indexes": shape.indexes,
        }
    )
