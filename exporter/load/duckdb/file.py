"""A DuckDB file for loads: how it is opened, what is in its schema, and its errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import duckdb

from exporter.errors import LoadError, LockedError
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, is_ours
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


@dataclass
class Relation:
    """A table or a view that is there: its comment, and the types of its columns."""

    is_view: bool
    comment: str | None
    columns: dict[str, str] = field(default_factory=dict)


class DuckDbFile:
    """A DuckDB file: open, with what is in the schema; a context manager.

    With `look_only`, a missing file is not made, and `is_open` stays false. Entering raises
    `LockedError` and `LoadError`.
    """

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
    def is_open(self) -> bool:
        """Whether there is a file, and it is open."""
        return self._opened is not None

    @property
    def connection(self) -> DuckDBPyConnection:
        """The open connection."""
        if self._opened is None:
            raise AssertionError("the file is not open")
        return self._opened

    def remove(self, snapshot_id: str) -> None:
        """Remove a snapshot from every table, in the transaction under way."""
        for name in self.own_tables():
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

    def relations(self, *tables: WarehouseTable) -> dict[str, Relation]:
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

    def _relations(self) -> dict[str, Relation]:
        here = "database_name = current_database() AND lower(schema_name) = lower($schema)"
        schema = {"schema": self._schema}
        found: dict[str, Relation] = {}
        for kind in ("table", "view"):
            rows = self.connection.execute(
                f"SELECT lower({kind}_name), comment FROM duckdb_{kind}s() "  # noqa: S608 - words
                f"WHERE {here} AND NOT internal",
                schema,
            ).fetchall()
            found |= {name: Relation(kind == "view", comment) for name, comment in rows}
        columns = self.connection.execute(
            "SELECT lower(table_name), lower(column_name), data_type FROM duckdb_columns() "  # noqa: S608 - words
            f"WHERE {here} AND NOT internal ORDER BY column_index",
            schema,
        ).fetchall()
        for name, column, type_ in columns:
            found[name].columns[column] = type_
        return found

    def own_tables(self) -> list[str]:
        """Return the names of our tables in the schema; raises `LoadError` as `relations` does."""
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
