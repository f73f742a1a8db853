"""`export`: take an inventory and publish it as a snapshot."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from exporter import run
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import voice
from exporter.cli.process.failures import complain, exit_code, report, reported, sentence
from exporter.cli.process.logs import configure_logs
from exporter.cli.process.outcome import Outcome
from exporter.cli.process.progress import log_progress
from exporter.cli.process.reports import can_write, write_report
from exporter.cli.process.signals import KEPT, Signals
from exporter.cli.process.voice import LogFormat, LogLevel, log_format
from exporter.cli.terminal.live import LiveProgress, can_show
from exporter.cli.terminal.summary import MISSING_SHOWN, show_summary
from exporter.cli.terminal.tables import json_text, print_json
from exporter.crawl.progress import Progress
from exporter.errors import OutputError, SettingsError
from exporter.output import open_output
from exporter.settings import Settings, load_settings
from exporter.snapshots.highlights import Highlights, highlights
from exporter.snapshots.manifest import Manifest
from exporter.tables.schemas import COMPLETE_STATUSES
from exporter.wording import number

PARTIAL = 3
"""The exit code of a run that published a partial snapshot."""

STDOUT = "-"

Watch = Callable[[Progress], Coroutine[None, None, None]]

app = new_app()


@app.command()
def export(
    config: options.Config = None,
    snapshot_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="The snapshot's id; by default its start, run-20261123T020000Z."
        ),
    ] = None,
    output: options.Output = None,
    format_: Annotated[
        list[options.Format] | None,
        typer.Option(
            "--format",
            metavar="parquet|ndjson",
            help="May be repeated; both by default. [output.formats]",
        ),
    ] = None,
    concurrency: options.Concurrency = None,
    cloud: options.Clouds = None,
    folder: options.Folders = None,
    registry: options.Registries = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a snapshot that has this id already.")
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start over, and do not go on with what is unfinished."),
    ] = False,
    accept_shrink: Annotated[
        bool,
        typer.Option(
            "--accept-shrink",
            help="Publish a result however few images it has; one that was not published for "
            "that is not listed again.",
        ),
    ] = False,
    new_scope: Annotated[
        bool,
        typer.Option(
            "--new-scope", help="Make another source or scope the output's own from now on."
        ),
    ] = False,
    wait: options.Wait = None,
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Write Prometheus metrics here, for the textfile collector."
        ),
    ] = None,
    metrics_job: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Label the metrics export_job=NAME, to tell several jobs apart."
        ),
    ] = "",
    summary_json: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Write the summary here as JSON; - is stdout."),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Take an inventory and publish it as a snapshot.

    Flags win over the environment (REGISTRY_EXPORTER__LIMITS__CONCURRENCY=8), which wins over
    the file. A run that was stopped or killed is gone on with by the same command.

    \b
    Examples:
      registry-exporter export --config cron.yaml --quiet
      registry-exporter export --registry crp1abc --output s3://bucket/images

    \b
    Exit codes:
      0 complete              1 failed, nothing published
      2 usage or settings     3 published, but partial
      4 credentials refused   5 the output cannot be written
      6 implausibly small, nothing published
      11 another run holds the output
      130 interrupted, 143 terminated, 129 hung up: what was staged is kept
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    voice.speak_for(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        try:
            waits = options.seconds(wait)
            settings = load_settings(
                config,
                options.settings_flags(
                    output=output,
                    formats=format_,
                    concurrency=concurrency,
                    clouds=cloud,
                    folders=folder,
                    registries=registry,
                ),
            )
        except SettingsError as error:
            if metrics_file or summary_json:
                write_refusal(error, metrics_file, metrics_job, summary_json)
            raise
        run_options = RunOptions(
            snapshot_id,
            replace=replace,
            fresh=fresh,
            wait=waits,
            accept_shrink=accept_shrink,
            new_scope=new_scope,
        )
        display = DisplayOptions(
            log_format, log_level, quiet, debug, metrics_file, metrics_job, summary_json
        )
        code = export_and_show(settings, run_options, display)
    raise typer.Exit(code)


@dataclass(frozen=True)
class RunOptions:
    """What is asked of one run beyond its settings; `exporter.run.export` explains them.

    `if_stopped` is what a person is told when a signal ends the run.
    """

    snapshot_id: str | None = None
    replace: bool = False
    fresh: bool = False
    wait: float = 0.0
    accept_shrink: bool = False
    new_scope: bool = False
    if_stopped: str = KEPT


@dataclass(frozen=True)
class DisplayOptions:
    """How a run is shown: on stderr, in the log, and in files for other programs."""

    log_format: LogFormat | None = None
    log_level: LogLevel | None = None
    quiet: bool = False
    debug: bool = False
    metrics_file: Path | None = None
    metrics_job: str = ""
    summary_json: str | None = None

    def check(self) -> None:
        """Refuse files that could not be written after hours of work; raises `SettingsError`."""
        for flag, named in (
            ("--metrics-file", self.metrics_file),
            ("--summary-json", None if self.summary_json == STDOUT else self.summary_json),
        ):
            if named is not None and not can_write(Path(named)):
                raise SettingsError(
                    f"{flag} {Path(named).absolute()} cannot be written: name a file in a folder "
                    "that exists and that this user may write to."
                )


def export_and_show(settings: Settings, options: RunOptions, display: DisplayOptions) -> int:
    """Run an export to its end, show how it goes and what it came to; return the exit code.

    Raises `SettingsError` for what `display` cannot be.
    """
    display.check()
    console = Console(stderr=True, highlight=False)
    format_ = log_format(display.log_format, quiet=display.quiet)
    for_a_person = format_ is LogFormat.CONSOLE and not display.quiet
    live = for_a_person and can_show(console)
    level = display.log_level or (LogLevel.WARNING if live else LogLevel.INFO)
    configure_logs(format_, LogLevel.ERROR if display.quiet else level)
    progress = Progress()
    watch = LiveProgress(console) if live else log_progress
    outcome = _run(settings, options, progress, watch, debug=display.debug)
    manifest = outcome.manifest
    if manifest is not None:
        found = highlights(open_output(settings), manifest)
        if for_a_person:
            show_summary(
                console,
                manifest,
                found,
                output=settings.output.url,
                recalled_pages=outcome.statistics.recalled_pages,
            )
        elif manifest.status == "partial":
            complain(_partial_sentence(manifest, found), event="export_partial", level="warning")
        outcome = replace(outcome, registries=found.registries if found else ())
    _write_files(display, outcome)
    return outcome.exit_code


def write_refusal(
    error: Exception, metrics_file: Path | None, metrics_job: str, summary_json: str | None
) -> None:
    """Write what other programs read of a run that was refused for its settings."""
    display = DisplayOptions(
        metrics_file=metrics_file, metrics_job=metrics_job, summary_json=summary_json
    )
    statistics = Progress().statistics()
    _write_files(display, Outcome("failed", exit_code(error), statistics, error=sentence(error)))


def _run(
    settings: Settings, options: RunOptions, progress: Progress, watch: Watch, *, debug: bool
) -> Outcome:
    with Signals(options.if_stopped) as signals:
        try:
            manifest = asyncio.run(_watched(settings, options, progress, watch, signals))
        except (asyncio.CancelledError, KeyboardInterrupt):
            return _interrupted(signals, progress)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends as a sentence
            report(error, debug=debug, event="export_failed")
            if signals.received is not None:
                # It came of being stopped, and is not what the run ended of.
                return _interrupted(signals, progress)
            return Outcome("failed", exit_code(error), progress.statistics(), error=sentence(error))
    code = 0 if manifest.status == "complete" else PARTIAL
    return Outcome(manifest.status, code, progress.statistics(), manifest)


def _interrupted(signals: Signals, progress: Progress) -> Outcome:
    if not voice.is_told():
        complain(signals.message, event="export_stopped")
    return Outcome("interrupted", signals.exit_code, progress.statistics(), error=signals.message)


async def _watched(
    settings: Settings, options: RunOptions, progress: Progress, watch: Watch, signals: Signals
) -> Manifest:
    # One context for both tasks: what the run binds to the log stands in the watcher's events too.
    context = contextvars.copy_context()
    task = asyncio.create_task(
        run.export(
            settings,
            snapshot_id=options.snapshot_id,
            replace=options.replace,
            fresh=options.fresh,
            wait=options.wait,
            accept_shrink=options.accept_shrink,
            new_scope=options.new_scope,
            progress=progress,
        ),
        context=context,
    )
    signals.cancel_at_signal(task)
    watcher = asyncio.create_task(watch(progress), context=context)
    try:
        return await task
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def _partial_sentence(manifest: Manifest, found: Highlights | None) -> str:
    missing = sum(
        count for status, count in manifest.coverage.items() if status not in COMPLETE_STATUSES
    )
    known = found.missing if found else ()
    named = [f"{one} ({one.status})" for one in known[:MISSING_SHOWN]]
    if named and missing > len(named):
        named.append(f"{missing - len(named)} more")
    return (
        f"Snapshot {manifest.snapshot_id} is partial: {missing:,} of "
        f"{number(sum(manifest.coverage.values()), 'listing')} "
        f"{'is' if missing == 1 else 'are'} not complete"
        + (f": {', '.join(named)}" if named else "")
        + "; its table `coverage` says why, and latest.json does not name it."
    )


def _write_files(display: DisplayOptions, outcome: Outcome) -> None:
    """Write what other programs read; a failure is told, and changes nothing about the run."""
    try:
        if display.metrics_file is not None:
            from exporter.cli.process.metrics import write_metrics  # noqa: PLC0415 - seldom asked for

            write_metrics(display.metrics_file, outcome, job=display.metrics_job)
        if display.summary_json is not None:
            _write_summary(display.summary_json, outcome)
    except OutputError as error:
        complain(sentence(error), event="report_failed")
    except OSError as error:
        complain(
            f"{error.filename or 'A file'} cannot be written: {error.strerror or error}.",
            event="report_failed",
        )


def _write_summary(target: str, outcome: Outcome) -> None:
    content: dict[str, Any] = {"exit_code": outcome.exit_code}
    if outcome.manifest is None:
        content |= {"status": outcome.status, "error": outcome.error}
    else:
        content |= run.summary(outcome.manifest)
    if target == STDOUT:
        print_json(content)
    else:
        write_report(Path(target), json_text(content))
