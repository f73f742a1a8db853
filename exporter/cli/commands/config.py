"""`config`: `check` shows the settings in force, `schema` all that there are."""

from __future__ import annotations

import typer

from exporter.cli import options
from exporter.cli.failures import reported
from exporter.cli.wholehelp import WholeHelp

config = typer.Typer(
    cls=WholeHelp, no_args_is_help=True, help="Look at the settings: check, schema."
)


@config.command()
def check(
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Check the settings, and print those in force, with secrets masked.

    Settings are the file's, then the environment's over them
    (REGISTRY_EXPORTER__LIMITS__CONCURRENCY=8). No call is made, and nothing is written. Exits with
    2 for settings that cannot be used: a file that is not there, an output that cannot be written.

    \b
    Example:
      registry-exporter config check --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.checking import check_usable  # noqa: PLC0415
        from exporter.cli.effective import effective_settings  # noqa: PLC0415
        from exporter.settings import load_settings  # noqa: PLC0415

        settings = load_settings(config)
        check_usable(settings)
        typer.echo(effective_settings(settings), nl=False)


@config.command()
def schema(debug: options.Debug = False) -> None:
    """Print the JSON Schema of the settings, for editors and for checks in CI.

    \b
    Example:
      registry-exporter config schema > settings.schema.json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.effective import settings_schema  # noqa: PLC0415

        typer.echo(settings_schema(), nl=False)
