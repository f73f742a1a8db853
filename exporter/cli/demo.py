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
from rich.console import Console

from exporter.cli import options
from exporter.cli.export import DisplayOptions, export_and_show
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.messages import LogFormat, log_format
from exporter.cli.process.runner import RunOptions
from exporter.cli.terminal.invocation import command
from exporter.cli.terminal.summary import show_suggestions
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
    in every format: as it was yesterday, and then as it is today, so that `diff` and `history` have
    something to show. It uses no settings and no credentials of the environment.

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
    """Export an emulated estate to `output` as it was on two days; return the exit code."""
    # The whole day: two demos of one day have the same estate.
    today = int(time.time()) // DAY * DAY
    yesterday = replace(preset("company", images=images, seed=seed), newest=today - DAY)
    with _served(yesterday) as emulator:
        url = emulator.url
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
        options = RunOptions(new_scope=True, if_stopped=left)
        _tell("First, the made-up cloud as it was yesterday.", display)
        code = export_and_show(settings, options, replace(display, has_summary=False))
        if code:
            return code
        emulator.show(Estate(replace(yesterday, days=1)))
        _tell(
            "Now, the same cloud as it is today: with new images, moved tags, and less CI.", display
        )
        code = export_and_show(settings, options, display)
    if code == 0 and _is_for_a_person(display):
        show_suggestions(Console(stderr=True, highlight=False), _questions(output))
    return code


def _questions(output: str) -> dict[str, str]:
    named = ("--output", output)
    return {
        "What has changed since yesterday?": command("diff", *named),
        "Where are the bytes?": command("query", "--name", "largest-repositories", *named),
        "What would deleting old untagged images free?": command(
            "reclaim", "--untagged", "--older-than", "30d", *named
        ),
        "How does it grow?": command("history", "--sizes", *named),
        "And all of it for people? (needs registry-exporter[report])": command(
            "report", *named, "--to", "demo-report.html"
        ),
    }


def _tell(sentence: str, display: DisplayOptions) -> None:
    if _is_for_a_person(display):
        Console(stderr=True, highlight=False).print(sentence, style="dim", soft_wrap=True)


def _is_for_a_person(display: DisplayOptions) -> bool:
    format_ = log_format(display.log_format, quiet=display.quiet)
    return format_ is LogFormat.CONSOLE and not display.quiet


@contextmanager
def _served(shape: Shape) -> Iterator[Emulator]:
    """Serve an estate during the `with` block; give the emulator."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    serving: list[Emulator] = []

    async def serve() -> None:
        async with Emulator(Estate(shape), LATENCY) as emulator:
            serving.append(emulator)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    if not ready.wait(_START_WITHIN):
        raise ExporterError("The emulator did not start; is this machine out of memory or ports?")
    try:
        yield serving[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
