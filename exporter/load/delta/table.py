"""One Delta table: its log is changed through deltalake, its files are written here.

Deltalake's own writer holds more than a gigabyte for ten million rows, so `parts` writes the files
and the log only learns of them. A commit that meets another is never repeated by the library: it
would add files beside those that another loader added to the same partition. It is made anew from
the table's newest version instead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction

from exporter.errors import LoadError
from exporter.load.delta.place import Place
from exporter.load.delta.statistics import statistics
from exporter.load.file_names import PartNames, is_left_over, loader_of, loaders_in
from exporter.load.lake import ChangedError
from exporter.load.parts import Part, write_parts
from exporter.load.tables import SNAPSHOT_ID, WarehouseTable, is_ours, meaning
from exporter.storage.destination import Entry

_LOG = re.compile(r"/_delta_log/\d{20}\.json$")
_ATTEMPTS = 10


def open_table(place: Place, name: str) -> LoadedDelta | None:
    """Return a table, None if there is none; raises `LoadError` for one that is not ours."""
    with place.errors(f"open the table {name} in"):
        try:
            table = DeltaTable(place.uri(name), storage_options=place.options)
        except TableNotFoundError:
            if place.files(name):
                raise LoadError(
                    f"Where the table {name} of {place.name} belongs, there are files that are no "
                    "Delta table: move them away, or load into another schema."
                ) from None
            return None
        found = table.metadata()
    if not is_ours(found.description) or found.partition_columns != [SNAPSHOT_ID]:
        raise LoadError(
            f"The name {name} in {place.name} is taken by a Delta table that no load made: move it "
            "away, or load into another schema."
        )
    return LoadedDelta(place, name, table)


def create_table(place: Place, wanted: WarehouseTable) -> LoadedDelta:
    """Create a table without rows, or return the one that was created meanwhile."""
    with place.errors(f"create the table {wanted.name} in"):
        place.confirm()
        DeltaTable.create(
            place.uri(wanted.name),
            Schema.from_arrow(pa.schema([_commented(field) for field in wanted.schema])),
            mode="ignore",
            partition_by=[SNAPSHOT_ID],
            name=wanted.name,
            description=wanted.comment,
            storage_options=place.options,
        )
    table = open_table(place, wanted.name)
    if table is None:
        raise LoadError(f"The table {wanted.name} of {place.name} went away: run again.")
    return table


class LoadedDelta:
    """A Delta table of ours; see `exporter.load.lake.LakeTable`."""

    def __init__(self, place: Place, name: str, table: DeltaTable) -> None:
        self._place = place
        self._name = name
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """See `LakeTable`."""
        return pa.schema(pa.schema(self._table.schema()))

    def add_columns(self, columns: Sequence[pa.Field]) -> None:
        """See `LakeTable`."""

        def add() -> None:
            there = self.schema.names
            missing = [_commented(field) for field in columns if field.name not in there]
            if missing:
                fields = [Field.from_arrow(field) for field in missing]
                self._table.alter.add_columns(fields, commit_properties=_once())

        self._commit(f"add columns to the table {self._name} in", add)

    def write(
        self, snapshot_id: str, rows: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> list[Part]:
        """See `LakeTable`; the partition's column is not in the files."""
        names = PartNames()
        columns = pa.schema([field for field in schema if field.name != SNAPSHOT_ID])

        def open_part(number: int) -> Any:
            path = f"{SNAPSHOT_ID}={snapshot_id}/{names(number)}"
            return self._place.open_part(f"{self._name}/{path}", path)

        return write_parts(rows, columns, open_part, self._remove)

    def discard(self, parts: Collection[Part]) -> None:
        """See `LakeTable`."""
        with suppress(LoadError):
            for part in parts:
                self._remove(part.path)

    def replace(
        self, ids: Collection[str], parts: Sequence[Part], version: object = None
    ) -> object:
        """See `LakeTable`."""
        adds = [_add(part) for part in parts]

        def commit() -> None:
            if version is not None and self._table.version() != version:
                raise ChangedError
            filters = [(SNAPSHOT_ID, "in", list(ids))] if ids else [(SNAPSHOT_ID, "=", "")]
            self._table.create_write_transaction(
                adds,  # type: ignore[arg-type] # a list of some of its actions
                "overwrite",
                self._table.schema(),
                [SNAPSHOT_ID],
                filters,
                commit_properties=_once(),
            )

        self._commit(f"replace rows of the table {self._name} in", commit)
        return self._table.version()

    def read(self, columns: Sequence[str]) -> pa.Table:
        """See `LakeTable`."""
        # Deltalake's own reader leaves threads that abort the process when it ends.
        with self._place.errors(f"read the table {self._name} in"):
            inside = [name for name in columns if name != SNAPSHOT_ID]
            tables = []
            for path in self._active():
                part = pq.read_table(pa.BufferReader(self._read(path)), columns=inside)
                ids = pa.repeat(pa.scalar(_snapshot_of(path)), len(part))
                tables.append(part.append_column(SNAPSHOT_ID, ids))
            empty = self.schema.empty_table().select([*inside, SNAPSHOT_ID])
            return pa.concat_tables([empty, *tables])

    def snapshot_ids(self) -> set[str]:
        """See `LakeTable`."""
        with self._place.errors(f"read the log of the table {self._name} in"):
            return {str(one[SNAPSHOT_ID]) for one in self._table.partitions()}

    def tidy(self) -> None:
        """See `LakeTable`; replaced files stay for `delta.deletedFileRetentionDuration`."""
        with self._place.errors(f"tidy the table {self._name} in"):
            prefix = f"{self._name}/"
            referenced = {f"{prefix}{path}" for path in self._active()}
            files = self._place.files(self._name)
            unused = [one for one in files if loader_of(one.path) and one.path not in referenced]
            if not unused:
                return
            committed = self._committed(files)
            for one in unused:
                is_old = is_left_over(one, is_exclusive=self._place.is_exclusive)
                if is_old and loader_of(one.path) not in committed:
                    self._place.delete(one.path)
            if self._table.vacuum(dry_run=True):
                self._place.confirm()
                self._table.vacuum(dry_run=False)

    def _remove(self, path: str) -> None:
        self._place.delete(f"{self._name}/{path}")

    def _read(self, path: str) -> bytes:
        content = self._place.read(f"{self._name}/{path}")
        if content is None:
            raise LoadError(
                f"The table {self._name} in {self._place.name} lacks its file {path}: restore it, "
                "or move the table away and load again."
            )
        return content

    def _active(self) -> list[str]:
        actions = pa.table(self._table.get_add_actions(flatten=True))
        return [str(path) for path in actions.column("path").to_pylist()]

    def _committed(self, files: Iterable[Entry]) -> set[str]:
        """Return the loads whose files the log names: as there, or as removed."""
        # Deltalake's own reader of the history stops the whole process while it reads.
        logs = [one.path for one in files if _LOG.search(one.path)]
        return {one for path in logs for one in loaders_in(self._place.read(path) or b"")}

    def _commit(self, doing: str, commit: Callable[[], None]) -> None:
        """Commit to the newest version, as often as another commit comes first."""
        with self._place.errors(doing):
            for attempt in range(_ATTEMPTS):
                self._place.confirm()
                self._table.update_incremental()
                try:
                    commit()
                    break
                except CommitFailedError:
                    if attempt == _ATTEMPTS - 1:
                        raise
            self._table.update_incremental()


def _once() -> CommitProperties:
    return CommitProperties(max_commit_retries=0)


def _add(part: Part) -> AddAction:
    return AddAction(
        path=part.path,
        size=part.bytes,
        partition_values={SNAPSHOT_ID: _snapshot_of(part.path)},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=orjson.dumps(statistics(part.footer)).decode(),
    )


def _snapshot_of(path: str) -> str:
    """Return the snapshot that a file of ours is of, by its folder's name."""
    return path.partition("=")[2].partition("/")[0]


def _commented(field: pa.Field) -> pa.Field:
    """Return a column whose meaning is where Delta's readers look for it."""
    return field.with_metadata({"comment": meaning(field)} if meaning(field) else None)
