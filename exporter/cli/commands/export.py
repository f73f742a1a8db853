"""`export`: take an inventory and publish it as a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.failures import reported


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
    options.speak_for(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        from exporter.errors import SettingsError  # noqa: PLC0415
        from exporter.settings import load_settings  # noqa: PLC0415

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
                from exporter.cli.exporting import write_refusal  # noqa: PLC0415

                write_refusal(error, metrics_file, metrics_job, summary_json)
            raise
        # Only now, for it takes a moment, and a mistyped setting should be told at once.
        from exporter.cli.exporting import DisplayOptions, RunOptions, export_and_show  # noqa: PLC0415

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
