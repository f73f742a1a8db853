"""One load from its start to its end in this process: watched, and stopped at a signal."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import structlog

from exporter.cli.process import messages
from exporter.cli.process.failures import exit_code, report, sentence
from exporter.cli.process.optional_packages import allow_package
from exporter.cli.process.outcome import LoadOutcome
from exporter.cli.process.progress import LOG_EVERY
from exporter.cli.process.reading import reading
from exporter.cli.process.signals import Signals
from exporter.errors import PARTIAL_EXIT_CODE
from exporter.load.loader import LoadResult, load
from exporter.load.progress import LoadProgress
from exporter.load.selection import NEW
from exporter.settings import Settings
from exporter.wording import number

_UNREADABLE_EXIT_CODE = 1

_log = structlog.get_logger()

Watch = Callable[[LoadProgress], AbstractContextManager[object]]
"""What shows a load's figures during a block."""


@dataclass(frozen=True)
class LoadOptions:
    """What the flags ask of one load beyond its settings; `exporter.load.loader` explains them."""

    names: tuple[str, ...] = (NEW,)
    prune: bool = False
    dry_run: bool = False


def run_load(
    settings: Settings, options: LoadOptions, watch: Watch, *, debug: bool
) -> tuple[LoadOutcome, LoadResult | None]:
    """Run a load, watched by `watch`; report its error or its signal.

    Returns the outcome, and what the load returned, if it did. `debug` adds the traceback of an
    error.
    """
    progress = LoadProgress()

    def ended(error: str | None, code: int) -> LoadOutcome:
        return LoadOutcome(
            "interrupted" if code > 128 else "failed",
            code,
            progress.clock.seconds,
            str(settings.load.to or ""),
            loaded=tuple(progress.loaded),
            removed=tuple(progress.removed),
            error=error,
        )

    if settings.load.to is not None and settings.load.to.kind == "iceberg":
        allow_package("dateutil")  # Pyiceberg reads its own configuration by it.
    with Signals(lambda: _advice(progress)) as signals:
        try:
            with watch(progress), reading():
                result = load(
                    settings,
                    options.names,
                    prune=options.prune,
                    dry_run=options.dry_run,
                    progress=progress,
                )
        except KeyboardInterrupt:
            messages.write(signals.message, event="load_stopped", run_id=progress.run_id)
            return ended(signals.message, signals.exit_code), None
        except Exception as error:  # noqa: BLE001 - every error ends as a sentence
            if signals.received is not None:
                # The signal interrupted a call, which made an error of its own of it.
                messages.write(signals.message, event="load_stopped", run_id=progress.run_id)
                return ended(signals.message, signals.exit_code), None
            report(error, debug=debug, event="load_failed", run_id=progress.run_id)
            return ended(sentence(error), exit_code(error)), None
    return _finished(result, progress), result


def refused_load(error: Exception) -> LoadOutcome:
    """Return the outcome of a load that an error kept from starting."""
    return LoadOutcome("failed", exit_code(error), 0.0, error=sentence(error))


@contextmanager
def log_load(progress: LoadProgress) -> Iterator[None]:
    """Log an event with the load's figures every few seconds during the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOG_EVERY):
            _log.info(
                "progress",
                run_id=progress.run_id,
                snapshot_id=progress.snapshot_id,
                table=progress.table,
                rows=progress.rows,
                rows_known=progress.rows_known,
                snapshots_done=len(progress.loaded),
                snapshots=progress.snapshots,
                seconds=round(progress.clock.seconds, 1),
            )

    watcher = threading.Thread(target=contextvars.copy_context().run, args=(watch,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _finished(result: LoadResult, progress: LoadProgress) -> LoadOutcome:
    """Say what the load had to leave out, and return its outcome."""
    run_id = progress.run_id
    for snapshot_id, error in result.unloaded:
        messages.write(
            sentence(error), event="snapshot_not_loaded", run_id=run_id, snapshot_id=snapshot_id
        )
    for snapshot_id in result.selection.unreadable:
        messages.write(
            f"Snapshot {snapshot_id} cannot be read, so it is not loaded; `registry-exporter "
            f"verify {snapshot_id}` tells what is wrong with it.",
            event="snapshot_not_loaded",
            run_id=run_id,
            snapshot_id=snapshot_id,
        )
    partial = [one.snapshot_id for one in result.loaded if one.status == "partial"]
    if partial:
        what = f"Snapshot {partial[-1]} is" if len(partial) == 1 else f"{len(partial)} of them are"
        messages.write(
            f"{number(len(result.loaded), 'snapshot')} loaded. {what} partial: `snapshots` says "
            "so, and no view `latest_…` shows it.",
            event="partial_loaded",
            level="warning",
            run_id=run_id,
        )
    unreadable = (*(id_ for id_, _ in result.unloaded), *result.selection.unreadable)
    code = _UNREADABLE_EXIT_CODE if unreadable else PARTIAL_EXIT_CODE if partial else 0
    return LoadOutcome(
        "failed" if unreadable else "partial" if partial else "complete",
        code,
        progress.clock.seconds,
        result.warehouse,
        tuple(one.manifest.snapshot_id for one in result.planned),
        result.loaded,
        result.removed,
        result.selection.partial,
        unreadable,
        f"{number(len(unreadable), 'snapshot')} cannot be read." if unreadable else None,
    )


def _advice(progress: LoadProgress) -> str:
    if not progress.loaded:
        return "Nothing was loaded; to load it, run the same command again."
    done = f"{len(progress.loaded):,} of {number(progress.snapshots, 'snapshot')}"
    return f"Loaded: {done}; to load the rest, run the same command again."
