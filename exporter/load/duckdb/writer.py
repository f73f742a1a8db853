"""One snapshot on its way into a DuckDB file, in one transaction over all tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import duckdb

from exporter.errors import LoadError
from exporter.load.duckdb.file import DuckDbFile, Relation
from exporter.load.tables import JSON_COLUMNS, SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, meaning
from exporter.load.warehouse import SnapshotLoad, TableSource
from exporter.sql.ndjson import quoted
from exporter.wording import option


class DuckDbWriter:
    """One snapshot on its way into a DuckDB file, in one transaction."""

    def __init__(self, warehouse: DuckDbFile, load: SnapshotLoad) -> None:
        self._warehouse = warehouse
        self._connection = warehouse.connection
        self._load = load
        self._done = False

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo what is not committed."""
        if not self._done:
            self._roll_back()

    def prepare(self) -> None:
        """Begin the transaction, and make what is missing of the tables."""
        tables = (*self._load.tables, SNAPSHOTS)
        there = self._warehouse.relations(*tables)
        missing = [(table, self._missing_columns(table, there.get(table.name))) for table in tables]
        self._connection.begin()
        try:
            self._warehouse.create_schema()
            for table, columns in missing:
                self._make(table, columns, is_there=table.name in there)
            if self._load.replaces_another:
                self._warehouse.remove(self._load.snapshot_id)
        except BaseException:
            self._roll_back()
            raise

    def write(self, table: WarehouseTable, source: TableSource) -> int:
        """Replace the snapshot's rows of a table by those of the files; return their number."""
        name = self._warehouse.qualified(table.name)
        snapshot_id = self._load.snapshot_id
        with self._warehouse.errors("loaded"):
            self._warehouse.delete(table.name, snapshot_id)
        for path in source.files():
            with self._warehouse.errors("loaded"):
                # `snapshot_id=…` in the path must not become a column.
                self._connection.execute(
                    f"INSERT INTO {name} BY NAME SELECT $id AS {SNAPSHOT_ID}, * "  # noqa: S608 - names
                    "FROM read_parquet($file, hive_partitioning = false, union_by_name = true)",
                    {"id": snapshot_id, "file": str(path)},
                )
        with self._warehouse.errors("loaded"):
            counted = self._connection.execute(
                f"SELECT count(*) FROM {name} WHERE {SNAPSHOT_ID} = $id",  # noqa: S608 - a name
                {"id": snapshot_id},
            ).fetchone()
        return int(counted[0]) if counted else 0

    def commit(self) -> None:
        """Write the row in `snapshots` and the views, and commit the transaction."""
        names = SNAPSHOTS.schema.names
        values = ", ".join(f"${one}::JSON" if one in JSON_COLUMNS else f"${one}" for one in names)
        with self._warehouse.errors("loaded"):
            self._warehouse.delete(SNAPSHOTS.name, self._load.snapshot_id)
            self._connection.execute(
                f"INSERT INTO {self._warehouse.qualified(SNAPSHOTS.name)} ({', '.join(names)}) "  # noqa: S608 - names
                f"VALUES ({values})",
                dict(self._load.row),
            )
            for table in self._load.tables:
                self._make_view(table)
            self._connection.commit()
            self._done = True

    def _roll_back(self) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error:
            # The error that led here may have ended the transaction, or the connection.
            self._done = True

    def _missing_columns(self, table: WarehouseTable, there: Relation | None) -> dict[str, str]:
        """Return the columns that a table lacks, with their types; raises `LoadError`."""
        empty = self._connection.from_arrow(table.schema.empty_table())
        types = dict(zip(empty.columns, map(str, empty.types), strict=True))
        if there is None:
            return types
        for column, type_ in types.items():
            found = there.columns.get(column.lower(), type_)
            if found != type_:
                raise LoadError(
                    f"{self._warehouse.name} has {self._warehouse.qualified(table.name)} with a "
                    f"column {column} of type {found}, and the snapshot's is {type_}: name another "
                    f"schema with {option('schema')}."
                )
        return {name: type_ for name, type_ in types.items() if name.lower() not in there.columns}

    def _make(self, table: WarehouseTable, columns: Mapping[str, str], *, is_there: bool) -> None:
        """Make a table, or add columns to it, with their comments."""
        name = self._warehouse.qualified(table.name)
        if not is_there:
            stated = ", ".join(f"{quoted(one)} {type_}" for one, type_ in columns.items())
            self._connection.execute(f"CREATE TABLE {name} ({stated})")
            self._comment(f"TABLE {name}", table.comment)
        for column, type_ in columns.items():
            if is_there:
                self._connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column)} {type_}")
            self._comment(f"COLUMN {name}.{quoted(column)}", meaning(table.schema.field(column)))

    def _make_view(self, table: WarehouseTable) -> None:
        """Make the view of the newest complete snapshot's rows, with the table's columns of now."""
        snapshots = self._warehouse.qualified(SNAPSHOTS.name)
        view = self._warehouse.qualified(table.view)
        self._connection.execute(
            f"CREATE OR REPLACE VIEW {view} AS FROM {self._warehouse.qualified(table.name)} "  # noqa: S608 - names
            f"WHERE {SNAPSHOT_ID} = (SELECT {SNAPSHOT_ID} FROM {snapshots} "
            "WHERE status = 'complete' AND ((source->>'kind') = 'oci' "
            "OR coalesce((coverage->>'vanished')::BIGINT, 0) = 0) "
            f"ORDER BY finished_at DESC, {SNAPSHOT_ID} DESC LIMIT 1)"
        )
        self._comment(f"VIEW {view}", table.view_comment)

    def _comment(self, what: str, text: str) -> None:
        literal = text.replace("'", "''")
        self._connection.execute(f"COMMENT ON {what} IS '{literal}'")
