"""DuckDB: one file, which DuckDB itself loads from the snapshot's Parquet files.

All of a snapshot is one transaction. DuckDB's own lock on the file keeps every other process out
while a load runs, readers too. Tables have no keys: an index of ten million rows would not fit into
the memory of a load, and DuckDB skips the rows of other snapshots without one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import duckdb
import orjson

from exporter.errors import LoadError, LockedError, SettingsError
from exporter.load.tables import (
    JSON_COLUMNS,
    SNAPSHOT_ID,
    SNAPSHOTS,
    WarehouseTable,
    is_ours,
    meaning,
)
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad, TableSource
from exporter.settings import Settings
from exporter.snapshots.files import temporary_folder
from exporter.sql.database import connect as connect_duckdb
from exporter.sql.engine import first_line
from exporter.sql.ndjson import quoted
from exporter.wording import option

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LIMITS: Mapping[str, str | int | bool] = {
    "memory_limit": "200MB",
    "threads": 2,
    "preserve_insertion_order": False,
}
"""What DuckDB may use beside the program itself, which has some 150 MB."""
_FULL = ("No space left", "File too large", "Disk quota")
_PROCESS = re.compile(r"\(PID (\d+)\)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def connect(settings: Settings, *, look_only: bool) -> DuckDb:
    """Return the DuckDB file that `load.to` names; raises `SettingsError` for a wrong path."""
    load = settings.load
    if load.to is None:
        raise SettingsError("load.to names no DuckDB file.")
    try:
        path = Path(load.to.place).expanduser().absolute()
    except RuntimeError:
        raise SettingsError(
            f"load.to {load.to} begins with a home folder, and this user has none: write the "
            "whole path, or set HOME."
        ) from None
    return DuckDb(str(load.to), path, load.warehouse_schema, look_only=look_only)


@dataclass
class _Relation:
    """A table or a view that is there: its comment, and the types of its columns."""

    is_view: bool
    comment: str | None
    columns: dict[str, str] = field(default_factory=dict)


class DuckDb:
    """A DuckDB file, as `exporter.load.warehouse.Warehouse` says."""

    def __init__(self, name: str, path: Path, schema: str, *, look_only: bool) -> None:
        self.name = name
        self._path = path
        self._schema = schema
        self._look_only = look_only
        self._open = ExitStack()
        self._opened: DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        """Open the file, with DuckDB's lock on it; a missing one is made, unless it only looks."""
        if not self._path.parent.is_dir():
            raise LoadError(
                f"{self.name} cannot be opened, for there is no folder {self._path.parent}: make "
                f"it, or name another file with {option('to')}."
            )
        if self._look_only and not self._path.exists():
            return self
        with ExitStack() as stack:
            spill = stack.enter_context(temporary_folder())
            with self.errors("opened"):
                self._opened = stack.enter_context(
                    connect_duckdb(
                        {**_LIMITS, "temp_directory": spill},
                        self._path,
                        read_only=self._look_only,
                    )
                )
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, which lets go of the lock."""
        self._opened = None
        self._open.close()

    @property
    def connection(self) -> DuckDBPyConnection:
        """The open connection."""
        if self._opened is None:
            raise AssertionError("the file is not open")
        return self._opened

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that the file has, by id."""
        if self._opened is None:
            return {}
        with self.errors("read"):
            if SNAPSHOTS.name not in self.relations(SNAPSHOTS):
                return {}
            rows = self.connection.execute(
                "SELECT snapshot_id, status, epoch_us(started_at), source, scope "  # noqa: S608 - names
                f"FROM {self.qualified(SNAPSHOTS.name)}"
            ).fetchall()
        return {
            snapshot_id: LoadedSnapshot(
                status,
                _EPOCH + timedelta(microseconds=started),
                orjson.loads(source),
                orjson.loads(scope),
            )
            for snapshot_id, status, started, source, scope in rows
        }

    def begin(self, load: SnapshotLoad) -> DuckDbWriter:
        """Begin a transaction in which all tables are there, with all columns of this load."""
        writer = DuckDbWriter(self, load)
        with self.errors("loaded"):
            writer.prepare()
        return writer

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots from every table in one transaction."""
        with self.errors("pruned"):
            self.connection.begin()
            for name in self._own_tables():
                self.connection.execute(
                    f"DELETE FROM {self.qualified(name)} "  # noqa: S608 - a name
                    f"WHERE {SNAPSHOT_ID} IN (SELECT unnest($ids))",
                    {"ids": [*ids]},
                )
            self.connection.commit()

    def remove(self, snapshot_id: str) -> None:
        """Remove a snapshot from every table, in the transaction under way."""
        for name in self._own_tables():
            self.delete(name, snapshot_id)

    def delete(self, table: str, snapshot_id: str) -> None:
        """Remove a snapshot's rows of one table, in the transaction under way."""
        self.connection.execute(
            f"DELETE FROM {self.qualified(table)} WHERE {SNAPSHOT_ID} = $id",  # noqa: S608 - a name
            {"id": snapshot_id},
        )

    def qualified(self, name: str) -> str:
        """Return a table's or view's name with that of the schema, as SQL quotes them."""
        return f"{quoted(self._schema)}.{quoted(name)}"

    def create_schema(self) -> None:
        """Make the schema if it is not there."""
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self._schema)}")

    def relations(self, *tables: WarehouseTable) -> dict[str, _Relation]:
        """Return the tables and views of the schema by their names, in lower case.

        Raises `LoadError` if one that bears the name of one of `tables`, or of its view, is not
        ours.
        """
        found = self._relations()
        for table in tables:
            for name, is_view in ((table.name, False), (table.view, True)):
                there = found.get(name)
                if there and (there.is_view != is_view or not is_ours(there.comment)):
                    kind = "view" if there.is_view else "table"
                    raise LoadError(
                        f"{self.name} has a {kind} {self._schema}.{name} that no load has made: "
                        f"name another schema with {option('schema')}, or rename that {kind}."
                    )
        return found

    def _relations(self) -> dict[str, _Relation]:
        here = "database_name = current_database() AND lower(schema_name) = lower($schema)"
        schema = {"schema": self._schema}
        found: dict[str, _Relation] = {}
        for kind in ("table", "view"):
            rows = self.connection.execute(
                f"SELECT lower({kind}_name), comment FROM duckdb_{kind}s() "  # noqa: S608 - words
                f"WHERE {here} AND NOT internal",
                schema,
            ).fetchall()
            found |= {name: _Relation(kind == "view", comment) for name, comment in rows}
        columns = self.connection.execute(
            "SELECT lower(table_name), lower(column_name), data_type FROM duckdb_columns() "  # noqa: S608 - words
            f"WHERE {here} AND NOT internal ORDER BY column_index",
            schema,
        ).fetchall()
        for name, column, type_ in columns:
            found[name].columns[column] = type_
        return found

    def _own_tables(self) -> list[str]:
        return [
            name
            for name, one in self.relations(SNAPSHOTS).items()
            if not one.is_view and is_ours(one.comment) and SNAPSHOT_ID in one.columns
        ]

    @contextmanager
    def errors(self, done: str) -> Iterator[None]:
        """Raise DuckDB's errors in the block as a sentence: the file cannot be `done`."""
        try:
            yield
        except duckdb.Error as error:
            raise self._translated(error, done) from error

    def _translated(self, error: duckdb.Error, done: str) -> LoadError | LockedError:
        said = first_line(error)
        if "Could not set lock" in said or "Conflicting lock" in said:
            process = _PROCESS.search(said)
            who = f"Process {process[1]}" if process else "Another process"
            return LockedError(
                f"{who} has {self.name} open, and DuckDB lets no other in while one writes: let it "
                "finish, and run again."
            )
        cannot = f"{self.name} cannot be {done}"
        if any(one in str(error) for one in _FULL):
            return LoadError(f"{cannot}: the disk is full; free some space and run again.")
        if isinstance(error, duckdb.OutOfMemoryException):
            return LoadError(
                f"{cannot} within {_LIMITS['memory_limit']} of memory ({said}): free some space in "
                "TMPDIR, and run again."
            )
        return LoadError(
            f"{cannot} ({said}): check that it is a DuckDB file which this user may write, or name "
            f"another with {option('to')}."
        )


class DuckDbWriter:
    """One snapshot on its way into a DuckDB file, in one transaction."""

    def __init__(self, warehouse: DuckDb, load: SnapshotLoad) -> None:
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

    def _missing_columns(self, table: WarehouseTable, there: _Relation | None) -> dict[str, str]:
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
            "WHERE status = 'complete' AND coalesce((coverage->>'vanished')::BIGINT, 0) = 0 "
            f"ORDER BY finished_at DESC, {SNAPSHOT_ID} DESC LIMIT 1)"
        )
        self._comment(f"VIEW {view}", table.view_comment)

    def _comment(self, what: str, text: str) -> None:
        literal = text.replace("'", "''")
        self._connection.execute(f"COMMENT ON {what} IS '{literal}'")
