"""One export from its start to its end in this process: watched, and cancelled at a signal."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from exporter import run
from exporter.cli.process import messages
from exporter.cli.process.failures import exit_code, report, sentence
from exporter.cli.process.outcome import Outcome
from exporter.cli.process.signals import HOW_TO_RESUME, Signals
from exporter.crawl.progress import Progress
from exporter.errors import PARTIAL_EXIT_CODE
from exporter.inventory import IN_PROCESS, Inventory
from exporter.settings import Settings
from exporter.snapshots.manifest import Manifest

Watch = Callable[[Progress], Coroutine[None, None, None]]
"""What shows a run's figures until it is cancelled."""


@dataclass(frozen=True)
class RunOptions:
    """What the flags ask of one run beyond its settings; `exporter.run.export` explains them.

    `if_stopped` is the advice to a person when a signal ends the run, `inventory` is who lists.
    """

    snapshot_id: str | None = None
    replace: bool = False
    fresh: bool = False
    wait: float = 0.0
    accept_shrink: bool = False
    new_scope: bool = False
    if_stopped: str = HOW_TO_RESUME
    inventory: Inventory = IN_PROCESS


def run_export(
    settings: Settings, options: RunOptions, progress: Progress, watch: Watch, *, debug: bool
) -> Outcome:
    """Run an export, watched by `watch`; report its error or its signal, and return the outcome.

    `progress` is filled while the run goes on. `debug` adds the traceback of an error.
    """
    published: list[Manifest] = []

    def advice() -> str:
        return _published_sentence(settings, published[0]) if published else options.if_stopped

    with Signals(advice) as signals:
        try:
            manifest = asyncio.run(
                _watched(settings, options, progress, watch, signals, published.append)
            )
        except (asyncio.CancelledError, KeyboardInterrupt):
            return _interrupted(signals, progress, published)
        except Exception as error:  # noqa: BLE001 - every error ends as a sentence
            report(error, debug=debug, event="export_failed")
            if signals.received is not None:
                # The signal caused the error, and ended the run.
                return _interrupted(signals, progress, published)
            return Outcome("failed", exit_code(error), progress.statistics(), error=sentence(error))
    code = 0 if manifest.status == "complete" else PARTIAL_EXIT_CODE
    return Outcome(manifest.status, code, progress.statistics(), manifest)


def refused(error: Exception) -> Outcome:
    """Return the outcome of a run that an error kept from starting."""
    return Outcome("failed", exit_code(error), Progress().statistics(), error=sentence(error))


def _interrupted(signals: Signals, progress: Progress, published: list[Manifest]) -> Outcome:
    if not messages.is_end_written():
        messages.write(signals.message, event="export_stopped")
    code, figures = signals.exit_code, progress.statistics()
    if published:
        return Outcome(published[0].status, code, figures, published[0], error=signals.message)
    return Outcome("interrupted", code, figures, error=signals.message)


def _published_sentence(settings: Settings, manifest: Manifest) -> str:
    said = f"Snapshot {manifest.snapshot_id} is published."
    if settings.output.keep is None:
        return said
    return f"{said} Old snapshots may be left; the next export removes them."


async def _watched(
    settings: Settings,
    options: RunOptions,
    progress: Progress,
    watch: Watch,
    signals: Signals,
    on_published: Callable[[Manifest], None],
) -> Manifest:
    # One context for both tasks: the watcher's events have what the run binds to the log.
    context = contextvars.copy_context()
    export = asyncio.create_task(
        run.export(
            settings,
            snapshot_id=options.snapshot_id,
            replace=options.replace,
            fresh=options.fresh,
            wait=options.wait,
            accept_shrink=options.accept_shrink,
            new_scope=options.new_scope,
            inventory=options.inventory,
            progress=progress,
            on_published=on_published,
        ),
        context=context,
    )
    signals.cancel_at_signal(export)
    watcher = asyncio.create_task(watch(progress), context=context)
    try:
        return await export
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
