"""Command lines: the one that started this program, and those that a message suggests."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "registry-exporter"
COMPLETE_VARIABLE = "_REGISTRY_EXPORTER_COMPLETE"
"""What a shell sets to ask for completions; Typer derives it from the command's name."""


def given(arguments: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag on a command line, however wrong the rest of it is.

    The last one counts; None if the flag is not there.
    """
    value = None
    for one, following in zip(arguments, [*arguments[1:], None], strict=True):
        if one.startswith(f"{flag}="):
            value = one.removeprefix(f"{flag}=")
        elif one == flag:
            value = following
    return value


def command(*arguments: str) -> str:
    """Return a command line of this program."""
    return f"{_program()} {shlex.join(arguments)}"


def _program() -> str:
    script = Path(sys.argv[0])
    if script.name != NAME:
        return f"{shlex.quote(_from_here(Path(sys.executable)))} -m exporter"
    found = shutil.which(NAME)
    if found and Path(found).absolute() == script.absolute():
        return NAME
    return shlex.quote(_from_here(script))


def _from_here(path: Path) -> str:
    """Return a path, relative to the working directory if it lies below that."""
    absolute, here = path.absolute(), Path.cwd()
    return f"{absolute.relative_to(here)}" if absolute.is_relative_to(here) else f"{absolute}"
