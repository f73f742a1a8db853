"""One export as the terminal sees it: it is started, watched, summed up, and given an exit code."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from exporter.cli.failures import complain, exit_code, report
from exporter.cli.logs import configure_logs
from exporter.cli.options import LogFormat, LogLevel
from exporter.cli.progress import log_progress
from exporter.cli.signals import Signals
from exporter.crawl import Progress
from exporter.run import export
from exporter.settings import Settings
from exporter.snapshot import Manifest

PARTIAL = 3
"""The exit code of a run that published a partial snapshot."""

Watch = Callable[[Progress], Coroutine[None, None, None]]


@dataclass(frozen=True)
class Wishes:
    """What is asked of one run beyond its settings; `exporter.run.export` explains them."""

    snapshot_id: str | None = None
    replace: bool = False
    fresh: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class Showing:
    """How a run is shown: on stderr, in the log, and in files for other programs."""

    log_format: LogFormat | None = None
    log_level: LogLevel | None = None
    quiet: bool = False
    debug: bool = False
    metrics_file: Path | None = None
    summary_json: str | None = None

    @property
    def format(self) -> LogFormat:
        """The log's format in force."""
        return self.log_format or (LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON)

    @property
    def level(self) -> LogLevel:
        """The log's level in force."""
        if self.quiet:
            return LogLevel.ERROR
        return self.log_level or LogLevel.INFO


def export_and_show(settings: Settings, wishes: Wishes, showing: Showing) -> int:
    """Run an export to its end, show how it goes and what it came to; return the exit code."""
    configure_logs(showing.format, showing.level)
    with Signals() as signals:
        try:
            manifest = asyncio.run(_watched(settings, wishes, log_progress, signals))
        except (asyncio.CancelledError, KeyboardInterrupt):
            complain(signals.message)
            return signals.exit_code
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends as a sentence
            report(error, debug=showing.debug)
            return exit_code(error)
    if manifest.status == "partial":
        complain(_partial_sentence(manifest))
        return PARTIAL
    return 0


async def _watched(settings: Settings, wishes: Wishes, watch: Watch, signals: Signals) -> Manifest:
    progress = Progress()
    # One context for both tasks: what the run binds to the log stands in the watcher's events too.
    context = contextvars.copy_context()
    run = asyncio.create_task(
        export(
            settings,
            snapshot_id=wishes.snapshot_id,
            replace=wishes.replace,
            fresh=wishes.fresh,
            wait=wishes.wait,
            progress=progress,
        ),
        context=context,
    )
    signals.cancel_at_signal(run)
    watcher = asyncio.create_task(watch(progress), context=context)
    try:
        return await run
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def _partial_sentence(manifest: Manifest) -> str:
    missing = sum(
        count
        for status, count in manifest.coverage.items()
        if status not in ("complete", "skipped", "vanished")
    )
    return (
        f"Snapshot {manifest.snapshot_id} is partial: {missing} of "
        f"{sum(manifest.coverage.values())} listings are not complete; its table `coverage` says "
        "which and why, and latest.json was left as it was."
    )
