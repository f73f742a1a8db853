"""How messages write counts, and the options of a run: as flags, or as arguments.

`export(settings, replace=True)` and `registry-exporter export --replace` mean the same. Each
caller's messages use its own form.
"""

from __future__ import annotations

_flags = False


def speak_of_flags() -> None:
    """Let messages name flags from now on; the command line calls this when it starts."""
    global _flags  # noqa: PLW0603 - a process is started by one caller, and once
    _flags = True


def option(argument: str) -> str:
    """Return the name of an option: `snapshot_id`, or `--snapshot-id`."""
    return f"--{argument.replace('_', '-')}" if _flags else argument


def switch(argument: str) -> str:
    """Return how an option is switched on: `replace=True`, or `--replace`."""
    return option(argument) if _flags else f"{argument}=True"


def number(count: int, noun: str = "", plural: str = "") -> str:
    """Return a count with separated thousands, and with its noun: `1,204 images`, `1 image`."""
    word = noun if count == 1 or not noun else plural or f"{noun}s"
    return f"{count:,} {word}".rstrip()
