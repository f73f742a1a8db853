"""`demo`: an export of a cloud that this program makes up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.export import DisplayOptions, export_and_show
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.runner import RunOptions
from exporter.emulator import STATIC_TOKEN, Behaviour, Emulator, Estate, Shape, preset
from exporter.errors import ExporterError
from exporter.output import open_output
from exporter.settings import settings_alone
from exporter.staging.workspace import staging_root

LATENCY = Behaviour(latency=0.05, jitter=0.02)
"""A real cloud answers no faster."""
PAGE_SIZE = 100
"""Small pages, so that the demo splits a registry's listing, as a real cloud's size does."""
DAY = 86_400

_START_WITHIN = 60.0

app = new_app()


@app.command()
def demo(
    images: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000_000, help="The number of images.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(metavar="S", help="Another number makes another cloud.")] = 1,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="URL", help="Where the snapshot goes.")
    ] = "./demo-snapshots",
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Export a made-up cloud: no account, no credentials, no network.

    Starts the emulator inside this process, with a cloud of about 20,000 images, and exports it
    in every format. It uses no settings and no credentials of the environment.

    \b
    Examples:
      registry-exporter demo
      registry-exporter demo --images 200000 --seed 7 --output /tmp/snapshots
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        display = DisplayOptions(log_format, log_level, quiet, debug)
        code = _demonstrate(images=images, seed=seed, output=output, display=display)
    raise typer.Exit(code)


def _demonstrate(*, images: int, seed: int, output: str, display: DisplayOptions) -> int:
    """Export an emulated estate to `output`; return the exit code."""
    # The whole day: two demos of one day have the same estate.
    today = int(time.time()) // DAY * DAY
    shape = replace(preset("company", images=images, seed=seed), newest=today)
    with _served(shape) as url:
        settings = settings_alone(
            {
                "domain": url,
                "endpoints": dict.fromkeys(("container_registry", "resource_manager", "iam"), url),
                "credentials": {"iam_token": STATIC_TOKEN},
                "limits": {"page_size": PAGE_SIZE},
                "output": {"url": output, "formats": ["parquet", "ndjson"]},
            }
        )
        staged = staging_root(open_output(settings), settings.output.staging)
        left = f"Its staged data is left in {staged}. The next demo cannot use it: remove it."
        # Each demo has a cloud of its own, at an address of its own.
        return export_and_show(settings, RunOptions(new_scope=True, if_stopped=left), display)


@contextmanager
def _served(shape: Shape) -> Iterator[str]:
    """Serve an estate during the `with` block; give its URL."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with Emulator(Estate(shape), LATENCY) as emulator:
            urls.append(emulator.url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    if not ready.wait(_START_WITHIN):
        raise ExporterError("The emulator did not start; is this machine out of memory or ports?")
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
