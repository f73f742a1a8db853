"""`load`: bring published snapshots into a warehouse."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.loading import LoadOptions, log_load, refused_load, run_load
from exporter.cli.process.logs import configure_logs
from exporter.cli.process.messages import LogFormat, LogLevel, log_format
from exporter.cli.process.report_files import ReportFiles
from exporter.cli.terminal.live import can_show
from exporter.cli.terminal.loading import LiveLoad, show_dry_run, show_load
from exporter.cli.terminal.tables import result_console
from exporter.errors import SettingsError
from exporter.load.selection import NEW
from exporter.settings import READING, Settings, load_settings

app = new_app()


@app.command()
def load(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="The warehouse, as above. [load.to]"),
    ] = None,
    config: options.Config = None,
    output: options.Output = None,
    snapshot: Annotated[
        list[str] | None,
        typer.Option(
            "--snapshot",
            metavar="ID",
            help="A snapshot's id, latest, or new: every complete one of the output's own that the "
            "warehouse does not have, oldest first; may be repeated. By default new.",
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table", metavar="NAME", help="Only this table; may be repeated. [load.tables]"
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="NAME",
            help="The schema of the tables; by default registry_inventory. [load.schema]",
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Load partial snapshots too; they are never the latest. [load.partial]",
        ),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Then remove from the warehouse what the output does not have any more.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be loaded and removed.")
    ] = False,
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")] = False,
    metrics_file: options.MetricsFile = None,
    metrics_job: options.MetricsJob = "",
    summary_json: options.RunSummary = None,
    debug: options.Debug = False,
) -> None:
    """Bring published snapshots into a warehouse.

    Every table of a snapshot goes to a table of the same name with the column snapshot_id in front;
    `snapshots` has a row for each, and the views latest_… show the newest complete one. A snapshot
    is there whole or not at all: it replaces the one that the warehouse has under its id, and a
    load that was stopped or killed leaves what was there. The output is only read.

    A partial snapshot needs --partial. --prune removes only snapshots of a source and scope that
    the output still has one of, so several outputs can share a warehouse.

    \b
    Warehouses:
      postgresql://user@host/database         [postgresql]
      duckdb:PATH
      clickhouse://user@host:port/database    [clickhouse]
      iceberg:CATALOG/NAMESPACE               [iceberg]
      delta:PATH, delta:s3://bucket/prefix    [delta]
    In brackets is the extra to install:
      pip install 'registry-exporter[postgresql]'

    \b
    Examples:
      registry-exporter load --to duckdb:warehouse.duckdb
      registry-exporter load --to duckdb:warehouse.duckdb --snapshot latest
      registry-exporter load --config cron.yaml --prune --quiet

    \b
    Exit codes:
      0 loaded, or nothing is new     1 a snapshot cannot be read
      2 usage or settings             3 loaded, a partial snapshot too
      7 the load failed               11 another process holds the warehouse
      130 interrupted, 143 terminated, 129 hung up: what was loaded stays
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="load_failed"):
        files = ReportFiles(metrics_file, metrics_job, summary_json)
        try:
            files.check()
            settings = load_settings(
                config,
                options.settings_flags(
                    output=output, to=to, schema=schema, tables=table, partial=partial or None
                ),
                only=(*READING, "load"),
            )
        except SettingsError as error:
            files.writable().write(refused_load(error))
            raise
        wanted = LoadOptions(tuple(snapshot or (NEW,)), prune, dry_run)
        code = _load_and_show(settings, wanted, files, log_format, log_level, quiet, debug)
    raise typer.Exit(code)


def _load_and_show(
    settings: Settings,
    wanted: LoadOptions,
    files: ReportFiles,
    asked_format: LogFormat | None,
    asked_level: LogLevel | None,
    quiet: bool,
    debug: bool,
) -> int:
    console = Console(stderr=True, highlight=False)
    format_ = log_format(asked_format, quiet=quiet)
    for_a_person = format_ is LogFormat.CONSOLE and not quiet
    live = for_a_person and can_show(console)
    level = asked_level or (LogLevel.WARNING if live else LogLevel.INFO)
    configure_logs(format_, LogLevel.ERROR if quiet else level)
    outcome, result = run_load(
        settings, wanted, LiveLoad(console) if live else log_load, debug=debug
    )
    if result is not None and wanted.dry_run and files.summary_json != "-":
        show_dry_run(result_console(), result, settings)
    elif result is not None and for_a_person and not wanted.dry_run:
        show_load(console, result, settings)
    files.write(outcome)
    return outcome.exit_code
