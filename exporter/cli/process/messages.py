"""Messages on stderr: lines for a person, or events in JSON for a program.

A program that reads the log in JSON finds everything there: usage errors, Python's warnings,
tracebacks and the end of a run too. So no other module of the command line writes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from exporter.cli.process.redact import redact
from exporter.cli.terminal.invocation import NAME, given
from exporter.figures import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class LogFormat(StrEnum):
    """How log events are written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_encode: Callable[[dict[str, Any]], str] | None = None
_end_written = False


def log_format(asked: LogFormat | None, *, quiet: bool) -> LogFormat:
    """Return the format that the flag asks for, or else the one that suits the reader of stderr.

    A person reads a terminal, and the mail that cron makes of a quiet run's stderr.
    """
    if asked is not None:
        return asked
    return LogFormat.CONSOLE if quiet or sys.stderr.isatty() else LogFormat.JSON


def use_format(asked: LogFormat | None, *, quiet: bool) -> None:
    """From now on, write messages in the format of the log, the first error too."""
    use_json(wanted=log_format(asked, quiet=quiet) is LogFormat.JSON)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line has `--log-format json`, however wrong the rest of it is."""
    return given(arguments, "--log-format") == "json"


def use_json(*, wanted: bool) -> None:
    """From now on, write all messages in JSON, or none; in JSON, each failure is written once."""
    global _encode, _end_written  # noqa: PLW0603 - a process has one stderr
    _encode, _end_written = None, False
    if not wanted:
        return

    def encode(event: dict[str, Any]) -> str:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return json.dumps({"timestamp": now, **event}) + "\n"

    _encode = encode
    warnings.showwarning = _warn
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda what: _uncaught(what.exc_type, what.exc_value, what.exc_traceback)
    threading.excepthook = lambda what: _uncaught(what.exc_type, what.exc_value, what.exc_traceback)


def is_json() -> bool:
    """Return whether stderr is in JSON, for a program."""
    return _encode is not None


def note_end() -> None:
    """Note that the log has the end of the run."""
    global _end_written  # noqa: PLW0603 - a process has one stderr
    _end_written = True


def is_end_written() -> bool:
    """Return whether the log has the end of the run."""
    return _end_written


def write(text: str, *, event: str, level: str = "error", **more: Any) -> None:
    """Write a sentence to stderr, as lines or as one event in JSON."""
    sys.stderr.write(_written(text, event, level, more))
    sys.stderr.flush()


def write_now(text: str, *, event: str) -> None:
    """Write a sentence from a signal's handler; in JSON, not after the log has the end."""
    if is_json() and is_end_written():
        return
    # Neither sys.stderr nor rich: a blocked thread may hold their locks.
    with suppress(OSError):
        os.write(2, _written(text, event, "error", {}).encode(errors="backslashreplace"))


def _written(text: str, event: str, level: str, more: dict[str, Any]) -> str:
    if _encode is None:
        return "".join(f"{NAME}: {printable(line)}\n" for line in text.splitlines())
    said = {"message": text} if text else {}
    return _encode({"level": level, "event": event, **said, **more})


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del file, line  # They say where Python would write, and the line of code.
    write(
        redact(str(message)),
        event="python_warning",
        level="warning",
        category=category.__name__,
        file=f"{filename}:{lineno}",
    )


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    write(redact(f"{kind.__name__}: {error}"), event="uncaught_exception", exception=redact(text))
