"""The program's group of commands, and `main`, which the operating system starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn, cast

import typer
import typer.completion

import exporter
from exporter.cli.groups import LazyGroup, new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import exit_code, report, usage_error, usage_sentence
from exporter.cli.process.memory import tune_memory
from exporter.cli.process.optional_packages import block_optional_packages
from exporter.cli.process.signals import end_at_signals, exit_code_of_signal
from exporter.cli.process.streams import guard_streams
from exporter.cli.terminal.invocation import COMPLETE_VARIABLE, NAME, given
from exporter.errors import OutputError, SettingsError
from exporter.wording import speak_of_flags

# Typer exports one usage error only: its base class is that of all usage errors.
_UsageError = cast("type[Exception]", typer.BadParameter.__bases__[0])

app = new_app(
    cls=LazyGroup,
    name=NAME,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {exporter.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take a complete inventory of the container images in a Container Registry.

    Asks the list API of a Nebius or Yandex Cloud Container Registry, and publishes what it
    finds as a snapshot of Parquet and NDJSON tables, with size totals and a manifest.

    \b
    No cloud at hand?   registry-exporter demo
    With one:           export REGISTRY_IAM_TOKEN=…
                        registry-exporter plan
                        registry-exporter export --output ./snapshots
    Of Yandex Cloud:    export REGISTRY_EXPORTER__PROFILE=yandex, too
    """  # noqa: D301 - \b keeps a paragraph's lines as they are


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code (`exporter.errors`)."""
    block_optional_packages()
    run(app, NAME, sys.argv[1:])


def run(app: typer.Typer, name: str, arguments: Sequence[str]) -> NoReturn:
    """Run an application on `sys.argv`, and exit with its code.

    `name` is the program's, `arguments` are those of the command line as the main program has them:
    with the command first.
    """
    guard_streams()
    messages.use_json(wanted=messages.asks_for_json(sys.argv))
    end_at_signals()
    speak_of_flags()
    _answer_shells()
    tune_memory()
    code = 0
    try:
        # Not standalone: for a mistyped line, Typer would print several lines of its own.
        code = app(prog_name=name, standalone_mode=False) or 0
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        code = 1  # The reader of stdout has closed it.
    except _UsageError as error:
        code = usage_error(error)
        _write_refusal(arguments, usage_sentence(error))
    except Exception as error:  # noqa: BLE001 - every error ends as a sentence
        # A command reports its own errors: this one is of a help text, or of an import.
        report(error, debug="--debug" in sys.argv)
        code = exit_code(error)
    _leave(exit_code_of_signal() or code)


def _write_refusal(arguments: Sequence[str], reason: str) -> None:
    """Write the files that a refused `export` or `load` names for other programs."""
    if not arguments or arguments[0] not in ("export", "load"):
        return
    flags = ("--metrics-file", "--metrics-job", "--summary-json")
    metrics_file, job, summary_json = (given(arguments, flag) for flag in flags)
    if metrics_file or summary_json:
        # These import what an export imports: other refused lines must not wait for that.
        from exporter.cli.process.loading import refused_load  # noqa: PLC0415
        from exporter.cli.process.report_files import ReportFiles  # noqa: PLC0415
        from exporter.cli.process.runner import refused  # noqa: PLC0415

        metrics = Path(metrics_file) if metrics_file else None
        files = ReportFiles(metrics, job or "", summary_json)
        outcome = refused if arguments[0] == "export" else refused_load
        files.writable().write(outcome(SettingsError(reason)))


def _answer_shells() -> None:
    """Set Typer up to answer a shell that asks for completions, if one does."""
    if COMPLETE_VARIABLE in os.environ:
        typer.completion.completion_init()  # type: ignore[attr-defined] # as add_completion=True does


def _leave(code: int) -> NoReturn:
    """End the process at once: Python's own clean-up takes a tenth of a second."""
    with suppress(OSError, OutputError):  # An earlier message has reported it.
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
