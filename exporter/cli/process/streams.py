"""The standard streams of the process: stderr drops what it cannot write, stdout raises an error.

A log on a full disk, or a reader that has left, must not cost the inventory. A result that cannot
be written is an `OutputError`.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from exporter.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def guard_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` with streams that fail as this module says.

    They replace a letter that their encoding lacks: it must not end a run either.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened, a part or the journal, would be a standard stream.
            # Read-only, so that writing to it fails, as it does on a closed stream.
            os.open(os.devnull, os.O_RDONLY)
    sys.stdout = _text(_Stdout(1, "w", closefd=False), sys.stdout, errors="replace")
    sys.stderr = _text(_Stderr(2, "w", closefd=False), sys.stderr, errors="backslashreplace")


def _text(raw: io.FileIO, before: TextIO | None, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=(before and before.encoding) or "utf-8",
        errors=errors,
        # stderr is read while it is written, and so is a terminal.
        line_buffering=isinstance(raw, _Stderr) or raw.isatty(),
    )


class _Stderr(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        try:
            written = super().write(data)
        except OSError:
            return size
        # None: a pipe that does not block is full.
        return size if written is None else written


class _Stdout(io.FileIO):
    _failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        if self._failed:
            # The error is reported; the rest of the buffer would fail again at the end.
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._failed = True
            raise  # The reader has closed the pipe: not an error of the command.
        except OSError as error:
            self._failed = True
            raise OutputError(
                f"The result cannot be written to stdout: {error.strerror}."
            ) from None
