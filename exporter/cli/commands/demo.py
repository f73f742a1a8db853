"""`demo`: the main job against a cloud that this program makes up."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.failures import reported


def demo(
    images: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000_000, help="How many images there are.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(metavar="S", help="Which of the estates of that size.")] = 1,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="URL", help="Where the snapshot goes.")
    ] = "./demo-snapshots",
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Export a made-up cloud: no account, no credentials, no network.

    Starts the emulator inside this process, with an estate of some 20,000 images, and takes an
    inventory of it in every format.

    \b
    Examples:
      registry-exporter demo
      registry-exporter demo --images 200000 --seed 7 --output /tmp/snapshots
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    options.speak_for(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        from exporter.cli.demonstration import demonstrate  # noqa: PLC0415
        from exporter.cli.exporting import DisplayOptions  # noqa: PLC0415

        display = DisplayOptions(log_format, log_level, quiet, debug)
        code = demonstrate(images=images, seed=seed, output=output, display=display)
    raise typer.Exit(code)
