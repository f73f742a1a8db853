"""`plan`: what an export would list, and how many calls it takes at least."""

from __future__ import annotations

import typer

from exporter.cli import options
from exporter.cli.failures import reported


def plan(
    config: options.Config = None,
    output: options.Output = None,
    cloud: options.Clouds = None,
    folder: options.Folders = None,
    registry: options.Registries = None,
    as_json: options.AsJson = False,
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show what an export would list, without listing images or writing anything.

    Asks for clouds, folders and registries only. The number of calls is the least it can be.
    How many images to expect of each registry is what the last complete snapshot counted there.

    \b
    Examples:
      registry-exporter plan --config cron.yaml
      registry-exporter plan --folder b1gabc --json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    options.speak_for(log_format, quiet=quiet)
    with reported(debug, event="plan_failed"):
        from exporter.settings import load_settings  # noqa: PLC0415

        flags = options.settings_flags(
            output=output, clouds=cloud, folders=folder, registries=registry
        )
        settings = load_settings(config, flags)
        from exporter.cli.planning import plan_and_show  # noqa: PLC0415

        code = plan_and_show(
            settings,
            as_json=as_json,
            asked_format=log_format,
            asked_level=log_level,
            quiet=quiet,
        )
    raise typer.Exit(code)
