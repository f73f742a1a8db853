"""How errors end a command: one sentence on stderr, an exit code, a traceback only if asked for."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from exporter.cli.invocation import NAME
from exporter.cli.options import LogFormat, LogLevel
from exporter.cli.redact import redact
from exporter.errors import ExporterError


@contextmanager
def reported(debug: bool, *, as_event: bool = False) -> Iterator[None]:
    """Turn an error of the body into its sentence, and into `typer.Exit` with its exit code.

    `debug` adds the traceback, `as_event` an event in JSON for who reads the log by program. No
    traceback has local variables in it, and what looks like a secret is blotted out.
    """
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends as a sentence
        if as_event:
            from exporter.cli.logs import configure_logs  # noqa: PLC0415 - `--help` does not log

            configure_logs(LogFormat.JSON, LogLevel.ERROR)
            log_failure(error)
        report(error, debug=debug)
        raise typer.Exit(exit_code(error)) from None


def exit_code(error: Exception) -> int:
    """Return what the command ends with: the error's own code, or 1 for a bug."""
    return error.exit_code if isinstance(error, ExporterError) else 1


def report(error: Exception, *, debug: bool) -> None:
    """Write an error to stderr as a sentence, with its traceback if `debug`."""
    if debug:
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    complain(sentence(error))


def log_failure(error: Exception) -> None:
    """Log an error that no run has logged, as runs log theirs."""
    import structlog  # noqa: PLC0415 - `--help` does not log

    structlog.get_logger().error(
        "export_failed", message=sentence(error), exit_code=exit_code(error)
    )


def sentence(error: Exception) -> str:
    """Return what an error says to a person."""
    if isinstance(error, ExporterError):
        return redact(str(error))
    advice = "run the command again with --debug, and report what it prints"
    return redact(f"This is a bug, {advice}: {type(error).__name__}: {_first_line(error)}")


def usage_error(error: Any) -> int:
    """Tell a line that Typer cannot make sense of in a sentence; return the exit code, 2.

    Who names no command is shown the help, which Typer takes for such an error as well.
    """
    text = error.format_message()
    if error.ctx is not None and text == error.ctx.get_help():
        error.show()
    else:
        # Not every error knows its command, and some tell how the value was checked.
        command = error.ctx.command_path if error.ctx is not None else NAME
        said = " ".join(text.split()).replace(": Value error, ", ": ").removesuffix(".")
        complain(redact(f"{said} (see `{command} --help`)."))
    return int(error.exit_code)


def complain(text: str) -> None:
    """Write a sentence to stderr under the command's name, a line of it at a time."""
    for line in text.splitlines():
        sys.stderr.write(f"{NAME}: {line}\n")
    sys.stderr.flush()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or "without a message."
