"""The interface of a warehouse: what a load asks of it, and what it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import orjson
import pyarrow as pa

from exporter.load.tables import WarehouseTable
from exporter.snapshots.manifest import Manifest, Status


@dataclass(frozen=True)
class LoadedSnapshot:
    """A snapshot that a warehouse has, as its row in `snapshots` says.

    `started_at` tells two snapshots apart that were published under one id. `source` and `scope`
    are those of the manifest.
    """

    status: Status
    started_at: datetime
    source: Mapping[str, Any]
    scope: Mapping[str, Any]

    @classmethod
    def of_row(cls, status: Status, started_at: datetime, source: str, scope: str) -> Self:
        """Return the snapshot of a row in `snapshots`, whose `source` and `scope` are JSON."""
        return cls(status, started_at, orjson.loads(source), orjson.loads(scope))

    def is_of(self, manifest: Manifest) -> bool:
        """Return whether this is the snapshot of a manifest that has its id."""
        return (self.status, self.started_at) == (manifest.status, manifest.started_at)


@dataclass(frozen=True)
class SnapshotLoad:
    """One snapshot to load.

    `row` is its row in `snapshots`, by column; `tables` are those to write, each with `snapshot_id`
    as its first column. If `replaces_another`, the warehouse has another snapshot under this id:
    its rows must go from all tables, also from those that this load does not write.
    """

    manifest: Manifest
    row: Mapping[str, Any]
    tables: tuple[WarehouseTable, ...]
    replaces_another: bool = False

    @property
    def snapshot_id(self) -> str:
        """The snapshot's id, the first column of every table."""
        return self.manifest.snapshot_id


class TableSource(Protocol):
    """The rows of one table of one snapshot: as batches, or as files. Each can be read once.

    The SHA-256 of a file is compared with the manifest before its first row is given. Both methods
    raise `IntegrityError` and `OutputError`; the loader raises these again in place of the error
    that a library makes of them.
    """

    @property
    def rows(self) -> int:
        """How many rows the manifest states."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in small batches with the schema of the `WarehouseTable`."""

    def files(self) -> Iterator[Path]:
        """Yield Parquet files on this machine, each of which is there until the next is asked for.

        They lack `snapshot_id`, and columns that are newer than the snapshot's format.
        """


class SnapshotWriter(Protocol):
    """Writes one snapshot; a context manager, and left without `commit`, it leaves nothing of it.

    Methods raise `LoadError`.
    """

    def __enter__(self) -> Self:
        """Return the writer."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo what is not committed."""

    def write(self, table: WarehouseTable, source: TableSource) -> int:
        """Write the rows of a table in place of those that the snapshot had there.

        Returns how many rows of the snapshot the warehouse counts in the table afterwards. Each
        table of the load is written once, in their order.
        """

    def commit(self) -> None:
        """Make the tables, the row in `snapshots` and the views `latest_…` visible."""


class Warehouse(Protocol):
    """An open warehouse; a context manager.

    From entering to its end it holds the lock that keeps other loaders out; entering raises
    `LockedError` if one has it, and `LoadError` if the warehouse cannot be used. One that only
    looks (a dry run) takes no lock and creates nothing. `name` names it in messages: without a
    password. Methods raise `LoadError`.
    """

    name: str

    def __enter__(self) -> Self:
        """Open the warehouse."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, and let go of the lock."""

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that the warehouse has, by id; none where nothing was loaded yet."""

    def begin(self, load: SnapshotLoad) -> SnapshotWriter:
        """Begin to write a snapshot.

        Raises `LoadError`, before anything is written, if a table or view of one of the names is
        not ours (`tables.is_ours`), or has a column of another type.
        """

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots from every table, and from `snapshots`.

        Also with no ids: then only what killed loads left goes.
        """
