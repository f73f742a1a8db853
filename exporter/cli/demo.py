"""`demo`: an export of a cloud, or a registry, that this program makes up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from exporter.cli import options
from exporter.cli.emulate import Kind
from exporter.cli.export import DisplayOptions, export_and_show
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.messages import LogFormat, log_format
from exporter.cli.process.runner import RunOptions
from exporter.cli.terminal.invocation import command
from exporter.cli.terminal.summary import show_suggestions
from exporter.emulator import STATIC_TOKEN, Behaviour, Emulator, Estate, oci, preset
from exporter.errors import ExporterError
from exporter.output import open_output
from exporter.settings import settings_alone
from exporter.staging.workspace import staging_root

LATENCY, JITTER = 0.05, 0.02
"""A real cloud, or registry, answers no faster; in seconds."""
IMAGES, TAGS = 20_000, 2_000
"""The usual number of a cloud's images, and of a registry's tags: each of these is a call."""
MOVED = 0.03
"""The share of a registry's tags that name something new today, so that `diff` shows some."""
PAGE_SIZE = 100
"""Small pages, so that the demo splits a registry's listing, as a real cloud's size does."""
DAY = 86_400

_START_WITHIN = 60.0

_EmulatorT = TypeVar("_EmulatorT")

app = new_app()


@app.command()
def demo(
    kind: Annotated[
        Kind, typer.Option(help="What to make up: a cloud, or a registry with the OCI API.")
    ] = Kind.CLOUD,
    images: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=10_000_000,
            help="The number of images; of a registry, of tags.",
            show_default=f"{IMAGES}; with --kind oci {TAGS}",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Another number makes another cloud.")] = 1,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="URL", help="Where the snapshot goes.")
    ] = "./demo-snapshots",
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Export a made-up cloud or registry: no account, no credentials, no network.

    Starts the emulator inside this process, with a cloud of about 20,000 images, and exports it
    in every format: as it was yesterday, and then as it is today, so that `diff` and `history` have
    something to show. It uses no settings and no credentials of the environment. With --kind oci
    it is a registry with 2,000 tags, of which the second day reads only what is new.

    \b
    Examples:
      registry-exporter demo
      registry-exporter demo --kind oci
      registry-exporter demo --images 200000 --seed 7 --output /tmp/snapshots
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="export_failed"):
        display = DisplayOptions(log_format, log_level, quiet, debug)
        demonstrate = _demonstrate_registry if kind is Kind.OCI else _demonstrate_cloud
        code = demonstrate(images, seed, output, display)
    raise typer.Exit(code)


def _demonstrate_cloud(images: int | None, seed: int, output: str, display: DisplayOptions) -> int:
    """Export an emulated cloud to `output` as it was on two days; return the exit code."""
    today = _today()
    yesterday = replace(preset("company", images=images or IMAGES, seed=seed), newest=today - DAY)
    behaviour = Behaviour(latency=LATENCY, jitter=JITTER)
    with _served(lambda: Emulator(Estate(yesterday), behaviour)) as emulator:
        url = emulator.url
        told: dict[str, Any] = {
            "domain": url,
            "endpoints": dict.fromkeys(("container_registry", "resource_manager", "iam"), url),
            "credentials": {"iam_token": STATIC_TOKEN},
            "limits": {"page_size": PAGE_SIZE},
        }
        return _export_two_days(
            told,
            output,
            display,
            sentences=(
                "First, the made-up cloud as it was yesterday.",
                "Now, the same cloud as it is today: with new images, moved tags, and less CI.",
            ),
            next_day=lambda: emulator.show(Estate(replace(yesterday, days=1))),
            questions=_questions(output, untagged=True),
        )


def _demonstrate_registry(
    images: int | None, seed: int, output: str, display: DisplayOptions
) -> int:
    """Export an emulated registry to `output` as it was on two days; return the exit code."""
    shape = oci.preset("demo", tags=images or TAGS, seed=seed)
    yesterday = replace(shape, newest=_today() - DAY, moved=MOVED)
    behaviour = oci.Behaviour(latency=LATENCY, jitter=JITTER)
    with (
        _served(lambda: oci.OciEmulator(yesterday, behaviour)) as emulator,
        TemporaryDirectory(prefix="registry-demo-") as cache,
    ):
        return _export_two_days(
            {"source": "oci", "oci": {"registries": [{"registry": emulator.host}], "cache": cache}},
            output,
            display,
            sentences=(
                "First, the made-up registry as it was yesterday.",
                "Now, the same registry as it is today. Only what is new since then is read.",
            ),
            next_day=lambda: emulator.show(yesterday.on(1)),
            questions=_questions(output, untagged=False),
        )


def _today() -> int:
    """Return the beginning of the day, in seconds: two demos of one day have the same estate."""
    return int(time.time()) // DAY * DAY


def _export_two_days(
    told: Mapping[str, Any],
    output: str,
    display: DisplayOptions,
    *,
    sentences: tuple[str, str],
    next_day: Callable[[], None],
    questions: Mapping[str, str],
) -> int:
    """Export twice, with `next_day` between; tell a sentence before each. Return the exit code."""
    settings = settings_alone({**told, "output": {"url": output, "formats": ["parquet", "ndjson"]}})
    staged = staging_root(open_output(settings), settings.output.staging)
    left = f"Its staged data is left in {staged}. The next demo cannot use it: remove it."
    # Each demo has an estate of its own, at an address of its own.
    options = RunOptions(new_scope=True, if_stopped=left)
    _tell(sentences[0], display)
    code = export_and_show(settings, options, replace(display, has_summary=False))
    if code:
        return code
    next_day()
    _tell(sentences[1], display)
    code = export_and_show(settings, options, display)
    if code == 0 and _is_for_a_person(display):
        show_suggestions(Console(stderr=True, highlight=False), questions)
    return code


def _questions(output: str, *, untagged: bool) -> dict[str, str]:
    """Return command lines by the question that each answers; `untagged`: if these can be seen."""
    named = ("--output", output)
    asked = {
        "What has changed since yesterday?": command("diff", *named),
        "Where are the bytes?": command("query", "--name", "largest-repositories", *named),
    }
    if untagged:
        asked["What would deleting old untagged images free?"] = command(
            "reclaim", "--untagged", "--older-than", "30d", *named
        )
    return asked | {
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
def _served(make: Callable[[], AbstractAsyncContextManager[_EmulatorT]]) -> Iterator[_EmulatorT]:
    """Serve an emulator during the `with` block; give it."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    serving: list[_EmulatorT] = []

    async def serve() -> None:
        async with make() as emulator:
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
