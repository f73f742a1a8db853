"""`export`: take an inventory and publish it as a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.logs import configure_logs
from exporter.cli.process.messages import LogFormat, LogLevel, log_format
from exporter.cli.process.outcome import Outcome
from exporter.cli.process.progress import log_progress
from exporter.cli.process.report_files import ReportFiles
from exporter.cli.process.runner import RunOptions, refused, run_export
from exporter.cli.terminal.missing import partial_sentence, vanished_sentence
from exporter.crawl.progress import Progress
from exporter.errors import LoadError, SettingsError
from exporter.output import open_output
from exporter.settings import Settings, load_settings

if TYPE_CHECKING:
    from exporter.cli.terminal.screen import Screen
    from exporter.snapshots.manifest import Manifest

app = new_app()


@app.command()
def export(
    config: options.Config = None,
    snapshot_id: options.SnapshotId = None,
    output: options.Output = None,
    format_: options.Formats = None,
    concurrency: options.Concurrency = None,
    cloud: options.Clouds = None,
    folder: options.Folders = None,
    registry: options.Registries = None,
    source: options.Source = None,
    registry_url: options.RegistryUrl = None,
    immutable_tags: options.ImmutableTags = None,
    replace: options.Replace = False,
    fresh: options.Fresh = False,
    accept_shrink: options.AcceptShrink = False,
    new_scope: options.NewScope = False,
    wait: options.Wait = None,
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    metrics_file: options.MetricsFile = None,
    metrics_job: options.MetricsJob = "",
    summary_json: options.RunSummary = None,
    debug: options.Debug = False,
) -> None:
    """Take an inventory and publish it as a snapshot.

    Flags win over the environment (REGISTRY_EXPORTER__LIMITS__CONCURRENCY=8), which wins over
    the file. To resume a stopped run, run the same command again.

    \b
    Examples:
      registry-exporter export --config cron.yaml --quiet
      registry-exporter export --registry crp1abc --output s3://bucket/images
      registry-exporter export --source oci --registry-url localhost:5000

    \b
    Exit codes:
      0 complete              1 failed, nothing published
      2 usage or settings     3 published, but partial
      4 credentials refused   5 the output cannot be written
      6 implausibly small, nothing published
      7 published, but a warehouse was not loaded (load.after_export)
      11 another run holds the output
      130 interrupted, 143 terminated, 129 hung up: the staged data is kept
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        files = ReportFiles(metrics_file, metrics_job, summary_json)
        try:
            files.check()
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
                    source=source,
                    registry_urls=registry_url,
                    immutable_tags=immutable_tags,
                ),
            )
        except SettingsError as error:
            files.writable().write(refused(error))
            raise
        run_options = RunOptions(
            snapshot_id,
            replace=replace,
            fresh=fresh,
            wait=waits,
            accept_shrink=accept_shrink,
            new_scope=new_scope,
        )
        display = DisplayOptions(log_format, log_level, quiet, debug, files)
        code = export_and_show(settings, run_options, display)
    raise typer.Exit(code)


@dataclass(frozen=True)
class DisplayOptions:
    """How a run is shown: on stderr, in the log, and in files for other programs.

    A person gets the summary at the end only if it `has_summary`.
    """

    log_format: LogFormat | None = None
    log_level: LogLevel | None = None
    quiet: bool = False
    debug: bool = False
    files: ReportFiles = field(default_factory=ReportFiles)
    has_summary: bool = True


def export_and_show(settings: Settings, options: RunOptions, display: DisplayOptions) -> int:
    """Run an export to its end, show its progress and its result; return the exit code."""
    format_ = log_format(display.log_format, quiet=display.quiet)
    screen = None
    if format_ is LogFormat.CONSOLE and not display.quiet:
        # Only a person needs rich, and it takes long to import.
        from exporter.cli.terminal.screen import Screen  # noqa: PLC0415

        screen = Screen()
    live = screen if screen is not None and screen.is_live else None
    level = display.log_level or (LogLevel.INFO if live is None else LogLevel.WARNING)
    configure_logs(format_, LogLevel.ERROR if display.quiet else level)
    progress = Progress()
    watch = log_progress if live is None else live.export
    outcome = run_export(settings, options, progress, watch, debug=display.debug)
    if settings.load.after_export and outcome.exit_code == 0:
        outcome = _load_after(outcome, settings, live, debug=display.debug)
    if outcome.manifest is not None:
        outcome = _show_manifest(outcome, outcome.manifest, settings, screen, display)
    display.files.write(outcome)
    return outcome.exit_code


def _show_manifest(
    outcome: Outcome,
    manifest: Manifest,
    settings: Settings,
    screen: Screen | None,
    display: DisplayOptions,
) -> Outcome:
    """Show what was published, and return the outcome with what was read of it."""
    if screen is None and manifest.is_sound and display.files.metrics_file is None:
        return outcome  # Nothing shows more than the log has.
    from exporter.snapshots.highlights import highlights  # noqa: PLC0415 - as above

    found = highlights(open_output(settings), manifest)
    if screen is not None:
        if display.has_summary:
            recalled = outcome.statistics.recalled_pages
            screen.summary(manifest, found, settings.output.url, recalled)
    elif manifest.status == "partial":
        messages.write(partial_sentence(manifest, found), event="export_partial", level="warning")
    elif not manifest.is_sound and display.quiet:
        # Otherwise the log has said so.
        messages.write(
            vanished_sentence(manifest, found), event="latest_not_moved", level="warning"
        )
    return replace(outcome, registries=found.registries if found else ())


def _load_after(
    outcome: Outcome, settings: Settings, live: Screen | None, *, debug: bool
) -> Outcome:
    """Load what the warehouse does not have, and return the outcome of both.

    The snapshot is published whatever the load does, so every failure of it is one of the load.
    """
    # Few exports load.
    from exporter.cli.process.loading import LoadOptions, log_load, run_load  # noqa: PLC0415

    watch = log_load if live is None else live.load
    load, _ = run_load(settings, LoadOptions(), watch, debug=debug)
    code = load.exit_code
    if load.status == "failed":
        code = LoadError.exit_code
    return replace(outcome, exit_code=code, load=replace(load, exit_code=code))
