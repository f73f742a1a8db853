"""Writes files for other programs: a reader finds a whole one, and no device is replaced."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from exporter.leftovers import removed_at_once


def can_write(path: Path) -> bool:
    """Return whether `write_report` could write there."""
    if _own_stream(path) is not None:
        return True
    if path.exists() and not path.is_file():
        return not path.is_dir() and os.access(path, os.W_OK)
    return os.access(_target(path).parent, os.W_OK)


READABLE_BY_ALL = 0o644
"""The mode of a file for programs of other users, whatever the umask is."""


def write_report(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a text as UTF-8, as `report_file` does; raises `OSError`."""
    with report_file(path, mode=mode) as file:
        file.write(text.encode())


@contextmanager
def report_file(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file for a block that writes it: a reader finds the old one or the whole new one.

    A regular file gets `mode`; without one, the umask decides. If the block fails, nothing is
    left. The target of a link is replaced, not the link. A file that is not regular, such as a
    FIFO or `/dev/null`, is written into. So is the file of stdout or stderr: `--summary-json
    /dev/stderr 2>>log` does not replace the log. Raises `OSError`.
    """
    stream = _own_stream(path)
    if stream is not None:
        stream.flush()
        yield stream.buffer
        stream.buffer.flush()
    elif path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
    else:
        with _replacing(_target(path), mode) as file:
            yield file


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with removed_at_once(beside), beside.open("wb") as file:
            yield file
        if mode is not None:
            with suppress(PermissionError):  # Some shares have no modes.
                beside.chmod(mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _target(path: Path) -> Path:
    # Not Path.resolve: that raises RuntimeError for links in a circle.
    return Path(os.path.realpath(path))


def _own_stream(path: Path) -> TextIO | None:
    """Return stdout or stderr if the path leads to its file."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            if os.path.samestat(path.stat(), os.fstat(number)):
                return stream
        except OSError:
            continue  # It is not there, or not open.
    return None
