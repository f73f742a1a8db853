"""A stand-in for a registry with the OCI distribution API, made from a seed.

It imports nothing of the exporter, so that the two cannot share a mistake.

    async with OciEmulator(preset("tiny")) as emulator:
        ...  # list emulator.url

`shape` describes a registry; `estate`, `pushes`, `odd` and `manifests` make what is in it, when it
is asked for. `behaviour` says how it answers: `lists` in which pages, `access` whom, `content` with
what, and `harbor` over an API of its own. `server` and `routes` are HTTP, `replies` its errors, and
`truth` is what a complete inventory of it must hold.
"""

from .behaviour import FAULTS, PASSWORD, USER, Behaviour, Quirk, check_faults, parse_quirks
from .estate import Estate
from .serve import serve_registry
from .server import OciEmulator
from .shape import PRESETS, Oddity, Shape, preset

__all__ = [
    "FAULTS",
    "PASSWORD",
    "PRESETS",
    "USER",
    "Behaviour",
    "Estate",
    "OciEmulator",
    "Oddity",
    "Quirk",
    "Shape",
    "check_faults",
    "parse_quirks",
    "preset",
    "serve_registry",
]
