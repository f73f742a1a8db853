"""How errors end a command: one sentence on stderr, an exit code, a traceback with --debug."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from exporter.cli.process import messages
from exporter.cli.process.redact import redact
from exporter.cli.process.signals import exit_code_of_signal, unwind_at_signals
from exporter.cli.terminal.invocation import NAME
from exporter.errors import (
    AnswerFileError,
    ExporterError,
    IntegrityError,
    OutputError,
    UnreadableError,
)


@contextmanager
def reported(debug: bool, *, event: str = "command_failed") -> Iterator[None]:
    """Turn an error of the body into its sentence, and into `typer.Exit` with its exit code.

    `debug` adds the traceback; `event` names the error in JSON. No traceback has local variables,
    and text that looks like a secret is redacted.
    """
    unwind_at_signals()
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - every error ends as a sentence
        if (code := exit_code_of_signal()) is not None:
            # A signal interrupted a call, and its handler has said so.
            raise typer.Exit(code) from None
        report(error, debug=debug, event=event)
        raise typer.Exit(exit_code(error)) from None


@contextmanager
def answered(debug: bool) -> Iterator[None]:
    """Do what `reported` does, for a command that only reads: an output it cannot read is a 1.

    The file that the answer goes to is still a 5.
    """
    with reported(debug):
        try:
            yield
        except (AnswerFileError, IntegrityError):
            raise
        except OutputError as error:
            raise UnreadableError(str(error)) from error


def exit_code(error: Exception) -> int:
    """Return the exit code of the command: the error's own, or 1 for a bug."""
    return error.exit_code if isinstance(error, ExporterError) else 1


def report(error: Exception, *, debug: bool, event: str = "command_failed", **more: Any) -> None:
    """Write an error to stderr as a sentence, with its traceback if `debug`.

    In JSON, it has what `more` tells, and an error that the log of the run has is not written
    again.
    """
    trace = redact("".join(traceback.format_exception(error))) if debug else ""
    if not messages.is_json():
        sys.stderr.write(trace)
        messages.write(sentence(error), event=event)
    elif not messages.is_end_written():
        if debug:
            more["exception"] = trace
        messages.write(sentence(error), event=event, exit_code=exit_code(error), **more)
        messages.note_end()
    elif debug:
        messages.write("", event="traceback", level="debug", exception=trace)


def sentence(error: Exception) -> str:
    """Return an error as a sentence for a person."""
    if isinstance(error, ExporterError):
        return redact(str(error))
    advice = "Run the command again with --debug, and report its output"
    return redact(f"This is a bug. {advice}: {type(error).__name__}: {_first_line(error)}")


def usage_error(error: Any) -> int:
    """Write a sentence about a command line that Typer refuses; return the exit code, 2.

    A line without a command is such an error too: it is answered with the help.
    """
    text = error.format_message()
    if error.ctx is not None and text == error.ctx.get_help() and not messages.is_json():
        error.show()
    else:
        said = usage_sentence(error)
        messages.write(said, event="usage_error", exit_code=int(error.exit_code))
    return int(error.exit_code)


def usage_sentence(error: Any) -> str:
    """Return an error of Typer's about a command line as a sentence for a person."""
    # Not every error has its command, and some have a prefix of pydantic's.
    command = error.ctx.command_path if error.ctx is not None else NAME
    said = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
    return redact(f"{said.removesuffix('.')} (see `{command} --help`).")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or "without a message."
