"""One load from beginning to end; read this first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog

from exporter.clock import wall
from exporter.errors import IntegrityError, LoadError, SettingsError
from exporter.load.progress import Loaded, LoadProgress
from exporter.load.rows import TableRows
from exporter.load.selection import NEW, Selection, gone, select
from exporter.load.tables import WarehouseTable, snapshot_row, table_names, tables_of
from exporter.load.targets import open_warehouse
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad, SnapshotWriter, Warehouse
from exporter.output import open_existing
from exporter.settings import Settings
from exporter.snapshots.reader import Snapshot
from exporter.tables.schemas import TABLES
from exporter.wording import option

log = structlog.get_logger()


@dataclass(frozen=True)
class LoadResult:
    """How a load went.

    `warehouse` is its name, without a password. `loaded` are the snapshots that were loaded, or
    with a dry run `planned` those that would be; `unloaded` those that differ from their manifest,
    with the sentence about each. `selection` says what else was left out. `removed` are the ids
    that a prune removed, or would remove.
    """

    warehouse: str
    selection: Selection
    planned: tuple[Snapshot, ...] = ()
    loaded: tuple[Loaded, ...] = ()
    unloaded: tuple[tuple[str, IntegrityError], ...] = ()
    removed: tuple[str, ...] = ()


def load(
    settings: Settings,
    names: Sequence[str] = (NEW,),
    *,
    prune: bool = False,
    dry_run: bool = False,
    progress: LoadProgress | None = None,
) -> LoadResult:
    """Bring snapshots of an output into the warehouse that the settings name.

    `names` are ids, `latest`, or `new`: every complete snapshot of the output's own that the
    warehouse does not have. A snapshot replaces the one that the warehouse has under its id. One
    that differs from its manifest is left out, and those after it are loaded. `prune` then removes
    the snapshots that the output does not have any more (`selection.gone`). With `dry_run` nothing
    is written. `progress` is filled while the load goes on.

    Raises `SettingsError`, `LoadError`, `LockedError`, `OutputError` if the output cannot be read,
    and `ExporterError` or `IntegrityError` if there is no snapshot of a name. What was loaded
    before an error stays.
    """
    progress = progress or LoadProgress()
    warehouse = open_warehouse(settings, look_only=dry_run)
    destination = open_existing(settings)
    selection = select(destination, names, partial=settings.load.partial)
    only = settings.load.tables
    _check_tables(only, selection)
    with structlog.contextvars.bound_contextvars(run_id=progress.run_id), warehouse:
        there = warehouse.snapshots()
        wanted = selection.to_load(there)
        surplus = gone(destination, there) if prune else []
        if dry_run:
            return LoadResult(warehouse.name, selection, tuple(wanted), removed=tuple(surplus))
        progress.snapshots = len(wanted)
        log.info(
            "load_started",
            warehouse=warehouse.name,
            output=settings.output.url,
            snapshots=[one.manifest.snapshot_id for one in wanted],
        )
        unloaded = []
        for snapshot in wanted:
            try:
                _load_one(
                    warehouse, snapshot, only, there.get(snapshot.manifest.snapshot_id), progress
                )
            except IntegrityError as error:
                unloaded.append((snapshot.manifest.snapshot_id, error))
        if prune:
            warehouse.prune(surplus)
            progress.removed += surplus
        if surplus:
            log.info("snapshots_removed", snapshots=surplus)
        log.info("load_finished", loaded=len(progress.loaded), removed=len(surplus))
    return LoadResult(
        warehouse.name,
        selection,
        loaded=tuple(progress.loaded),
        unloaded=tuple(unloaded),
        removed=tuple(surplus),
    )


def _check_tables(only: Collection[str], selection: Selection) -> None:
    known = dict.fromkeys(TABLES)
    for one in (*selection.named, *selection.candidates):
        known |= dict.fromkeys(table_names(one))
    for name in only:
        if name not in known:
            raise SettingsError(
                f"There is no table {name}, which {option('table')} or load.tables names: the "
                f"tables are {', '.join(known)}."
            )


def _load_one(
    warehouse: Warehouse,
    snapshot: Snapshot,
    only: Collection[str],
    there: LoadedSnapshot | None,
    progress: LoadProgress,
) -> None:
    """Load one snapshot, whole or not at all; `there` is what the warehouse has under its id."""
    manifest = snapshot.manifest
    started = progress.clock.seconds
    with structlog.contextvars.bound_contextvars(snapshot_id=manifest.snapshot_id), snapshot:
        tables = tables_of(snapshot, only)
        sources = [TableRows(snapshot, one, progress.read) for one in tables]
        progress.begin(manifest.snapshot_id, sum(one.rows for one in sources))
        content = SnapshotLoad(
            manifest,
            snapshot_row(manifest, wall()),
            tables,
            replaces_another=there is not None and not there.is_of(manifest),
        )
        with warehouse.begin(content) as writer:
            for table, source in zip(tables, sources, strict=True):
                progress.table = table.name
                _write(warehouse.name, writer, table, source)
            writer.commit()
        rows = {table.name: source.rows for table, source in zip(tables, sources, strict=True)}
        done = Loaded(manifest.snapshot_id, manifest.status, rows, progress.clock.seconds - started)
        progress.loaded.append(done)
        log.info("snapshot_loaded", rows=rows, seconds=round(done.seconds, 3))


def _write(
    warehouse: str, writer: SnapshotWriter, table: WarehouseTable, source: TableRows
) -> None:
    try:
        counted = writer.write(table, source)
    except Exception as error:
        if source.failure is None or error is source.failure:
            raise
        # A library that reads the batches has made an error of its own of it.
        raise source.failure from error
    if counted != source.rows:
        raise LoadError(
            f"The table {table.name} has {counted:,} rows of the snapshot in {warehouse}, and the "
            f"manifest says {source.rows:,}, so nothing of the snapshot was loaded; `registry-"
            "exporter verify` tells whether the snapshot is whole."
        )
