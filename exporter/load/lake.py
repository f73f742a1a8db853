"""Loading tables that are files with a log of their own: what Iceberg and Delta have in common.

Each table changes atomically, and no two change together. So a load writes the files of all tables
first. Then it removes the snapshot's row in `snapshots`, replaces the snapshot's partition in one
table after the other, and writes the row last. Whoever joins `snapshots` never sees half a load.

The second change of `snapshots` names the version that the first one made. If another load or a
prune comes between, it is refused: the row is not there, and the next run loads the snapshot again.
So this holds also where no lock reaches the other loader.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa

from exporter.errors import LoadError, LockedError
from exporter.load.parts import Part
from exporter.load.tables import SNAPSHOTS, SNAPSHOTS_AS_TEXT, WarehouseTable
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad, TableSource


class ChangedError(Exception):
    """A table was changed by another program since its version was read."""


class LakeTable(Protocol):
    """A table, partitioned by `snapshot_id`. Methods raise `LoadError`."""

    @property
    def schema(self) -> pa.Schema:
        """The table's columns, with the types of the data model."""

    def add_columns(self, columns: Sequence[pa.Field]) -> None:
        """Add columns, null for the rows that are there."""

    def write(
        self, snapshot_id: str, rows: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> list[Part]:
        """Write rows of a snapshot into files that no version of the table has yet."""

    def discard(self, parts: Collection[Part]) -> None:
        """Remove files that no version of the table has; what cannot be removed stays."""

    def replace(
        self, ids: Collection[str], parts: Sequence[Part], version: object = None
    ) -> object:
        """Replace the rows of snapshots by files, in one commit; return the new version.

        There is a commit even if nothing changes. With a `version`, raises `ChangedError` if the
        table has another one by now.
        """

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns of a small table."""

    def snapshot_ids(self) -> set[str]:
        """Return the snapshots that the table has rows of."""

    def tidy(self) -> None:
        """Remove the files of killed loads, and replaced ones that the table keeps no longer."""


class Lake(Protocol):
    """A place of tables; a context manager. Methods raise `LoadError`."""

    name: str

    def __enter__(self) -> Self:
        """Open the place, and lock it; raises `LockedError` if another loader has it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unlock it."""

    def find(self, name: str) -> LakeTable | None:
        """Return a table, None if there is none; raises `LoadError` for one that is not ours."""

    def names(self) -> list[str]:
        """Return the names of the tables that are ours."""

    def create(self, table: WarehouseTable) -> LakeTable:
        """Create a table, or return the one that another loader created meanwhile."""

    def check_views(self, tables: Collection[WarehouseTable]) -> None:
        """Raise `LoadError` if the name of a view is taken by something that is not ours."""

    def make_views(self, tables: Collection[WarehouseTable]) -> None:
        """Make the views `latest_<table>`, if the place can hold views."""


class LakeWarehouse:
    """Iceberg or Delta as a warehouse; see `exporter.load.warehouse.Warehouse`."""

    def __init__(self, lake: Lake) -> None:
        self.name = lake.name
        self._lake = lake

    def __enter__(self) -> Self:
        self._lake.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lake.__exit__(kind, error, trace)

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that were loaded whole, by id."""
        table = self._lake.find(SNAPSHOTS.name)
        if table is None:
            return {}
        columns = ["snapshot_id", "status", "started_at", "source", "scope"]
        return {
            row["snapshot_id"]: LoadedSnapshot.of_row(
                row["status"], row["started_at"], row["source"], row["scope"]
            )
            for row in table.read(columns).to_pylist()
        }

    def begin(self, load: SnapshotLoad) -> LakeWriter:
        """Make the tables ready; all are checked before the first is created or changed."""
        wanted = [SNAPSHOTS_AS_TEXT, *load.tables]
        found = {one.name: self._lake.find(one.name) for one in wanted}
        for one in wanted:
            table = found[one.name]
            if table is not None:
                _check_types(self.name, one, table)
        self._lake.check_views(load.tables)
        ready = {one.name: self._ready(one, found[one.name]) for one in wanted}
        return LakeWriter(self._lake, load, ready)

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots, and the rows of loads that were killed and never repeated."""
        snapshots = self._lake.find(SNAPSHOTS.name)
        if snapshots is None:
            return
        snapshots.replace(ids, [])
        loaded = snapshots.snapshot_ids()
        for name in self._lake.names():
            table = self._lake.find(name)
            if table is not None and name != SNAPSHOTS.name:
                gone = table.snapshot_ids() - loaded
                if gone:
                    table.replace(gone, [])
                table.tidy()
        snapshots.tidy()

    def _ready(self, wanted: WarehouseTable, found: LakeTable | None) -> LakeTable:
        table = found or self._lake.create(wanted)
        there = table.schema.names
        new = [field for field in wanted.schema if field.name not in there]
        if new:
            table.add_columns(new)
        table.tidy()
        return table


class LakeWriter:
    """One snapshot being loaded; see `exporter.load.warehouse.SnapshotWriter`."""

    def __init__(self, lake: Lake, load: SnapshotLoad, tables: Mapping[str, LakeTable]) -> None:
        self._lake = lake
        self._load = load
        self._tables = tables
        self._parts: dict[str, list[Part]] = {}
        """The files that are written, of tables whose commit has not begun."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, parts in self._parts.items():
            self._tables[name].discard(parts)

    def write(self, table: WarehouseTable, source: TableSource) -> int:
        """Write a table's files, which no reader sees yet; return the rows that they count."""
        return self._write(table, source.batches())

    def commit(self) -> None:
        """Replace the snapshot in all tables, and write its row in `snapshots` last."""
        id_, snapshots = self._load.snapshot_id, self._tables[SNAPSHOTS.name]
        row = pa.RecordBatch.from_pylist([dict(self._load.row)], schema=SNAPSHOTS_AS_TEXT.schema)
        self._write(SNAPSHOTS_AS_TEXT, [row])
        row_parts = self._parts.pop(SNAPSHOTS.name)
        try:
            version = snapshots.replace([id_], [])
            for name, parts in tuple(self._parts.items()):
                del self._parts[name]
                self._tables[name].replace([id_], parts)
            if self._load.replaces_another:
                self._remove_from_others(id_)
            snapshots.replace([id_], row_parts, version)
        except ChangedError:
            raise LockedError(
                f"Another load or prune changed {self._lake.name} while snapshot {id_} was being "
                "loaded, so it is not marked as loaded; let the other finish, and run again."
            ) from None
        self._lake.make_views(self._load.tables)
        for one in self._tables.values():
            one.tidy()

    def _write(self, table: WarehouseTable, batches: Iterable[pa.RecordBatch]) -> int:
        parts = self._tables[table.name].write(self._load.snapshot_id, batches, table.schema)
        self._parts[table.name] = parts
        return sum(part.rows for part in parts)

    def _remove_from_others(self, snapshot_id: str) -> None:
        for name in self._lake.names():
            other = None if name in self._tables else self._lake.find(name)
            if other is not None and snapshot_id in other.snapshot_ids():
                other.replace([snapshot_id], [])


def _check_types(name: str, wanted: WarehouseTable, table: LakeTable) -> None:
    there = {field.name: field.type for field in table.schema}
    for field in wanted.schema:
        type_ = there.get(field.name, field.type)
        if type_ != field.type:
            raise LoadError(
                f"The column {field.name} of the table {wanted.name} in {name} is {type_}, and the "
                f"snapshot's is {field.type}: move that table away, or load into another schema."
            )
