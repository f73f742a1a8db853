"""One snapshot on its way into ClickHouse.

The rows of each table go into a table `loading_<table>` beside it, and are counted there. Readers
see nothing of that. The commit takes the snapshot's row out of `snapshots`, replaces the partition
of each table, and writes the row again. So a load that is killed at any moment leaves the views as
they were, or, killed within the commit, with the newest complete snapshot of those before it; they
never show a mixture, and the next load mends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import LoadError, LockedError
from exporter.load.clickhouse.connection import literal, name
from exporter.load.clickhouse.database import LOADING, Database, Relation
from exporter.load.clickhouse.types import FIRST_TIME, LAST_TIME, clickhouse_type
from exporter.load.tables import (
    SNAPSHOT_ID,
    SNAPSHOTS,
    SNAPSHOTS_AS_TEXT,
    WarehouseTable,
    is_ours,
    meaning,
)
from exporter.load.warehouse import SnapshotLoad, TableSource
from exporter.wording import option


class ClickHouseWriter:
    """Writes one snapshot, as `exporter.load.warehouse.SnapshotWriter` says."""

    def __init__(self, database: Database, load: SnapshotLoad) -> None:
        self._database = database
        self._connection = database.connection
        self._lease = database.lease
        self._load = load
        self._loading: set[str] = set()
        self._columns: dict[str, list[str]] = {}
        self._refused: LoadError | LockedError | None = None

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the rows that wait; a server that is gone keeps them until the next load."""
        if isinstance(error, LockedError):
            return  # Another loader has taken over, and these tables with the lock.
        with suppress(LoadError):
            for table in sorted(self._loading):
                self._drop_loading(table)

    def prepare(self) -> None:
        """Refuse what cannot be loaded, then make the tables and columns that are missing."""
        tables = (*self._load.tables, SNAPSHOTS)
        there = self._database.relations(*tables)
        self._columns = {one: [*relation.columns] for one, relation in there.items()}
        left = [table.name for table in self._load.tables if LOADING + table.name in there]
        for table_name in left:
            if not is_ours(there[LOADING + table_name].comment):
                raise LoadError(
                    f"{self._database.shown} has a table {self._database.schema}.{LOADING}"
                    f"{table_name} that no load has made: rename it, and run again."
                )
        missing = [(table, self._missing_columns(table, there.get(table.name))) for table in tables]
        for table, columns in missing:
            if table.name in there:
                self._add(table, columns)
            else:
                self._create(table, columns)
            self._columns.setdefault(table.name, []).extend(columns)
        for table_name in left:
            self._drop_loading(table_name)

    def write(self, table: WarehouseTable, source: TableSource) -> int:
        """Bring the rows of a table beside it; return how many the server counts there."""
        loading = LOADING + table.name
        self._lease.renew()
        if not source.rows:
            # Its files are read all the same, because they are checked while they are.
            return sum(batch.num_rows for batch in source.batches())
        self._loading.add(table.name)
        self._connection.run(
            f"CREATE TABLE {self._database.qualified(loading)} "
            f"AS {self._database.qualified(table.name)}"
        )
        try:
            self._connection.insert(
                self._database.qualified(loading), table.schema, self._batches(table, source)
            )
        except Exception as error:
            if self._refused is not None and error is not self._refused:
                raise self._refused from error
            raise
        counted = self._connection.rows(
            f"SELECT count() FROM {self._database.qualified(loading)} "  # noqa: S608 - a name
            f"WHERE {SNAPSHOT_ID} = {{id:String}}",
            {"id": self._load.snapshot_id},
        )
        return int(counted[0][0])

    def commit(self) -> None:
        """Put the partitions in their places, between the snapshot's old row and its new one."""
        self._lease.confirm()
        snapshot_id = self._load.snapshot_id
        if self._load.replaces_another:
            self._database.remove(snapshot_id)
        self._database.drop_partition(SNAPSHOTS.name, snapshot_id)
        for table in self._load.tables:
            self._lease.renew()
            if table.name in self._loading:
                self._connection.run(
                    f"ALTER TABLE {self._database.qualified(table.name)} REPLACE PARTITION "
                    f"{literal(snapshot_id)} FROM "
                    f"{self._database.qualified(LOADING + table.name)}"
                )
                self._drop_loading(table.name)
            else:
                # An empty partition cannot replace one.
                self._database.drop_partition(table.name, snapshot_id)
        for table in self._load.tables:
            if self._columns.get(table.view) != self._columns[table.name]:
                self._make_view(table)
        self._lease.confirm()
        schema = SNAPSHOTS_AS_TEXT.schema
        row = pa.RecordBatch.from_pylist([dict(self._load.row)], schema=schema)
        self._connection.insert(self._database.qualified(SNAPSHOTS.name), schema, [row])

    def _batches(self, table: WarehouseTable, source: TableSource) -> Iterator[pa.RecordBatch]:
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        for batch in source.batches():
            try:
                self._lease.renew()
                if not self._connection.has_all_times:
                    for column in times:
                        self._check_times(table, column, batch.column(column))
            except (LoadError, LockedError) as error:
                self._refused = error
                raise
            yield batch

    def _check_times(self, table: WarehouseTable, column: str, values: pa.Array) -> None:
        """Refuse times that an older server would show as others."""
        found = pc.min_max(values.cast(pa.timestamp("us", "UTC")).cast(pa.int64())).as_py()
        if found["min"] is not None and (found["min"] < FIRST_TIME or found["max"] > LAST_TIME):
            raise LoadError(
                f"The column {column} of {table.name} has a time before 1900 or after 2299, which "
                f"the version of {self._database.shown} cannot hold: upgrade the server, or leave "
                f"that table out with {option('table')}."
            )

    def _missing_columns(
        self, table: WarehouseTable, there: Relation | None
    ) -> Mapping[str, tuple[str, str]]:
        """Return the columns that a table lacks, each with its type and meaning."""
        wanted: dict[str, tuple[str, str]] = {}
        for field in table.schema:
            try:
                type_ = "String" if field.name == SNAPSHOT_ID else clickhouse_type(field.type)
            except KeyError:
                raise LoadError(
                    f"The column {field.name} of {table.name} has the type {field.type}, which "
                    "this version cannot bring into ClickHouse: use a newer registry-exporter."
                ) from None
            found = there.columns.get(field.name) if there else None
            if found is None:
                wanted[field.name] = (type_, meaning(field))
            elif found != type_:
                raise LoadError(
                    f"{self._database.shown} has {self._database.schema}.{table.name} with a "
                    f"column {field.name} of type {found}, and the snapshot's is {type_}: name "
                    f"another schema with {option('schema')}."
                )
        return wanted

    def _create(self, table: WarehouseTable, columns: Mapping[str, tuple[str, str]]) -> None:
        stated = ", ".join(_stated(*one) for one in columns.items())
        key = ", ".join(name(one) for one in table.key or (SNAPSHOT_ID,))
        self._connection.run(
            f"CREATE TABLE {self._database.qualified(table.name)} ({stated}) ENGINE = MergeTree "
            f"PARTITION BY {name(SNAPSHOT_ID)} ORDER BY ({key}) "
            f"SETTINGS allow_nullable_key = 1 COMMENT {literal(table.comment)}"
        )

    def _add(self, table: WarehouseTable, columns: Mapping[str, tuple[str, str]]) -> None:
        for one in columns.items():
            self._connection.run(
                f"ALTER TABLE {self._database.qualified(table.name)} "
                f"ADD COLUMN IF NOT EXISTS {_stated(*one)}"
            )

    def _make_view(self, table: WarehouseTable) -> None:
        """Make the view of the newest complete snapshot's rows, with the table's columns of now."""
        snapshots = self._database.qualified(SNAPSHOTS.name)
        self._connection.run(
            f"CREATE OR REPLACE VIEW {self._database.qualified(table.view)} AS "  # noqa: S608 - names
            f"SELECT * FROM {self._database.qualified(table.name)} WHERE {SNAPSHOT_ID} = "
            f"(SELECT {SNAPSHOT_ID} FROM {snapshots} WHERE status = 'complete' "
            "AND (JSONExtractString(assumeNotNull(source), 'kind') = 'oci' "
            "OR JSONExtractInt(assumeNotNull(coverage), 'vanished') = 0) "
            f"ORDER BY finished_at DESC, {SNAPSHOT_ID} DESC LIMIT 1) "
            f"COMMENT {literal(table.view_comment)}"
        )

    def _drop_loading(self, table: str) -> None:
        loading = self._database.qualified(LOADING + table)
        self._connection.run(f"DROP TABLE IF EXISTS {loading} SYNC")
        self._loading.discard(table)


def _stated(column: str, type_and_meaning: tuple[str, str]) -> str:
    type_, said = type_and_meaning
    return f"{name(column)} {type_} COMMENT {literal(said)}"
