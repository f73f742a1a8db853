"""`registry-exporter-spark`: the export of `export.py`, taken by the tasks of a Spark cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.app import run
from exporter.cli.export import DisplayOptions, export_and_show
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.report_files import ReportFiles
from exporter.cli.process.runner import RunOptions, refused
from exporter.errors import ExporterError, SettingsError
from exporter.settings import load_settings
from exporter.spark.extra import require_packages

NAME = "registry-exporter-spark"
IF_STOPPED = "Nothing is published. To list everything again, run the same command again."

app = new_app(name=NAME, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def export(
    config: options.Config = None,
    master: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Spark's master, such as local[2] or spark://host:7077; by default that of "
            "spark-submit, or else all cores of this machine.",
        ),
    ] = None,
    conf: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A setting of Spark; may be repeated."),
    ] = None,
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
    """Take an inventory with Spark, and publish it as a snapshot.

    The snapshot is as one of `registry-exporter export`, and so are the settings, the exit codes
    and the messages. The limits of the settings hold for all executors together. The driver and
    every executor need this program, the settings file or --files with it, and a staging folder
    at the same path.

    \b
    Examples:
      registry-exporter-spark --master 'local[2]' --config cron.yaml
      spark-submit --master yarn --files cron.yaml export_on_spark.py --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        files = ReportFiles(metrics_file, metrics_job, summary_json)
        try:
            files.check()
            waits = options.seconds(wait)
            flags = options.settings_flags(
                output=output,
                formats=format_,
                concurrency=concurrency,
                clouds=cloud,
                folders=folder,
                registries=registry,
                source=source,
                registry_urls=registry_url,
                immutable_tags=immutable_tags,
            )
            spark_settings = _spark_settings(conf or ())
            if config is None or config.exists():
                load_settings(config, flags)  # Spark takes seconds to start.
            require_packages()
            from exporter.spark.export import inventory_of  # noqa: PLC0415 - needs the extra

            with inventory_of(config, flags, master, spark_settings) as (settings, inventory):
                run_options = RunOptions(
                    snapshot_id,
                    replace=replace,
                    fresh=fresh,
                    wait=waits,
                    accept_shrink=accept_shrink,
                    new_scope=new_scope,
                    if_stopped=IF_STOPPED,
                    inventory=inventory,
                )
                display = DisplayOptions(log_format, log_level, quiet, debug, files)
                code = export_and_show(settings, run_options, display)
        except ExporterError as error:
            files.writable().write(refused(error))
            raise
    raise typer.Exit(code)


def main() -> None:
    """Run the command line, and exit with its code."""
    run(app, NAME, ["export", *sys.argv[1:]])


def _spark_settings(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, equals, _ in pairs:
        if not equals or not name.startswith("spark."):
            raise SettingsError(f"--conf {name} is no setting of Spark: write spark.…=VALUE.")
    return {name: value for name, _, value in pairs}
