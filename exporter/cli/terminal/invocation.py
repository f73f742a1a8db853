"""Command lines that a message suggests, ready to copy: this program as it was started."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "registry-exporter"
COMPLETE_VARIABLE = "_REGISTRY_EXPORTER_COMPLETE"
"""What a shell sets to ask for completions; Typer derives it from the command's name."""


def command(*arguments: str) -> str:
    """Return a command line of this program."""
    return f"{_program()} {shlex.join(arguments)}"


def python(code: str) -> str:
    """Return a command line that runs code in the Python that runs this program."""
    return f"{shlex.quote(from_here(Path(sys.executable)))} -c {_quoted(code)}"


def _program() -> str:
    script = Path(sys.argv[0])
    if script.name != NAME:
        return f"{shlex.quote(from_here(Path(sys.executable)))} -m exporter"
    found = shutil.which(NAME)
    if found and Path(found).absolute() == script.absolute():
        return NAME
    return shlex.quote(from_here(script))


def from_here(path: Path) -> str:
    """Return a path, relative to the working directory if it lies below that."""
    absolute, here = path.absolute(), Path.cwd()
    return f"{absolute.relative_to(here)}" if absolute.is_relative_to(here) else f"{absolute}"


def _quoted(code: str) -> str:
    # shlex quotes ' as '"'"', which is hard to read.
    return shlex.quote(code) if "'" not in code else '"' + _escaped(code) + '"'


def _escaped(code: str) -> str:
    return "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in code)
