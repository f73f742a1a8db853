"""The warehouses that promises are tested with, each as a test sees it from outside.

A kind reads with its own engine and clients, never with the program's code. To add one, write a
class with the attributes and methods of `Kind`, and put what makes one into `KINDS`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from tests.load.clickhouse import PASSWORD, clickhouse
from tests.load.postgres import Server
from tests.load.published import Row

SCHEMA = "registry_inventory"


class Kind(Protocol):
    """One warehouse under test; it is empty when a test begins.

    `url` is what `--to` names; `types` are the warehouse's words for Arrow's types, and `id_type`
    that for `snapshot_id`. Without `has_null_lists`, a list or a map that is null becomes an empty
    one.
    """

    url: str
    types: Mapping[pa.DataType, str]
    id_type: str
    has_null_lists: bool

    def rows(self, table: str, schema: str = SCHEMA) -> list[Row]:
        """Return a table's or view's rows: texts, ints, bools, lists, dicts for maps, UTC times."""

    def columns(self, table: str, schema: str = SCHEMA) -> dict[str, str]:
        """Return the columns of a table in their order, with the warehouse's own type names."""

    def relations(self, schema: str = SCHEMA) -> set[str]:
        """Return the names of the tables and views in a schema."""

    def comments(self, table: str) -> dict[str, str]:
        """Return the comments on a table's columns, by column, and that on the table, by ``""``."""

    def make_foreign(self, table: str) -> None:
        """Make a table of this name in the default schema, with one column, as somebody else."""


class DuckDbKind:
    """A DuckDB file, read by DuckDB."""

    id_type = "VARCHAR"
    has_null_lists = True
    types: Mapping[pa.DataType, str] = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.bool_(): "BOOLEAN",
        pa.timestamp("us", "UTC"): "TIMESTAMP WITH TIME ZONE",
        pa.list_(pa.string()): "VARCHAR[]",
        pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
        pa.json_(): "JSON",
    }

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"
        self.url = f"duckdb:{self.path}"

    def rows(self, table: str, schema: str = SCHEMA) -> list[Row]:
        with duckdb.connect(self.path, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            content = connection.sql(f'FROM "{schema}"."{table}"').to_arrow_table()
        return [
            {name: _plain(value, content.schema.field(name).type) for name, value in row.items()}
            for row in content.to_pylist()
        ]

    def columns(self, table: str, schema: str = SCHEMA) -> dict[str, str]:
        return dict(
            self._all(
                "SELECT column_name, data_type FROM duckdb_columns() "
                f"WHERE schema_name = '{schema}' AND table_name = '{table}' ORDER BY column_index"
            )
        )

    def relations(self, schema: str = SCHEMA) -> set[str]:
        if not self.path.exists():
            return set()
        return {
            name
            for (name,) in self._all(
                f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"
            )
        }

    def comments(self, table: str) -> dict[str, str]:
        where = f"schema_name = '{SCHEMA}' AND table_name = '{table}'"
        return dict(
            self._all(f"SELECT column_name, comment FROM duckdb_columns() WHERE {where}")
            + self._all(f"SELECT '', comment FROM duckdb_tables() WHERE {where}")
        )

    def make_foreign(self, table: str) -> None:
        with duckdb.connect(self.path) as connection:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{SCHEMA}"')
            connection.execute(f'CREATE TABLE "{SCHEMA}"."{table}" AS SELECT 42 AS snapshot_id')

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path, read_only=True) as connection:
            return connection.execute(sql).fetchall()


class PostgreSqlKind:
    """A database of its own in a PostgreSQL server, read by psycopg."""

    id_type = "text"
    has_null_lists = True
    types: Mapping[pa.DataType, str] = {
        pa.string(): "text",
        pa.int64(): "bigint",
        pa.int32(): "integer",
        pa.bool_(): "boolean",
        pa.timestamp("us", "UTC"): "timestamp with time zone",
        pa.list_(pa.string()): "text[]",
        pa.map_(pa.string(), pa.string()): "jsonb",
        pa.json_(): "jsonb",
    }

    def __init__(self, server: Server) -> None:
        self._server = server
        self._database = f"d{uuid.uuid4().hex}"
        with server.connect() as connection:
            connection.execute(f"CREATE DATABASE {self._database}")
        self.url = server.url(self._database)

    def close(self) -> None:
        """Drop the database."""
        with self._server.connect() as connection:
            connection.execute(f"DROP DATABASE {self._database} WITH (FORCE)")

    def rows(self, table: str, schema: str = SCHEMA) -> list[Row]:
        with self._server.connect(self._database) as connection:
            cursor = connection.execute(f'SELECT * FROM "{schema}"."{table}"')
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def columns(self, table: str, schema: str = SCHEMA) -> dict[str, str]:
        return dict(
            self._all(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                f'WHERE attrelid = \'"{schema}"."{table}"\'::regclass AND attnum > 0 '
                "ORDER BY attnum"
            )
        )

    def relations(self, schema: str = SCHEMA) -> set[str]:
        query = (
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            f"WHERE nspname = '{schema}' AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
        )
        return {name for (name,) in self._all(query)}

    def comments(self, table: str) -> dict[str, str]:
        where = f'\'"{SCHEMA}"."{table}"\'::regclass'
        return dict(
            self._all(
                "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
                f"WHERE attrelid = {where} AND attnum > 0"
            )
            + self._all(f"SELECT '', obj_description({where}, 'pg_class')")
        )

    def make_foreign(self, table: str) -> None:
        with self._server.connect(self._database) as connection:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{SCHEMA}"')
            connection.execute(f'CREATE TABLE "{SCHEMA}"."{table}" AS SELECT 42 AS snapshot_id')

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        with self._server.connect(self._database) as connection:
            return connection.execute(sql).fetchall()


class ClickHouseKind:
    """A ClickHouse server, which all tests of a process share, read over HTTP as Arrow."""

    id_type = "String"
    has_null_lists = False
    types: Mapping[pa.DataType, str] = {
        pa.string(): "Nullable(String)",
        pa.int64(): "Nullable(Int64)",
        pa.int32(): "Nullable(Int32)",
        pa.bool_(): "Nullable(Bool)",
        pa.timestamp("us", "UTC"): "Nullable(DateTime64(6, 'UTC'))",
        pa.list_(pa.string()): "Array(Nullable(String))",
        pa.map_(pa.string(), pa.string()): "Map(String, Nullable(String))",
        pa.json_(): "Nullable(String)",
    }

    def __init__(self, folder: Path) -> None:
        self._server = clickhouse()
        self.url = self._server.url(PASSWORD)
        for schema in (SCHEMA, "elsewhere"):
            self._server.run(f"DROP DATABASE IF EXISTS {schema} SYNC")

    def rows(self, table: str, schema: str = SCHEMA) -> list[Row]:
        return self._server.rows(f"SELECT * FROM `{schema}`.`{table}`")

    def columns(self, table: str, schema: str = SCHEMA) -> dict[str, str]:
        return self._pairs("name, type", "columns", f"{_in(schema)} AND table = '{table}'")

    def relations(self, schema: str = SCHEMA) -> set[str]:
        return {*self._pairs("name, name AS same", "tables", _in(schema))}

    def comments(self, table: str) -> dict[str, str]:
        of_table = f"{_in(SCHEMA)} AND name = '{table}'"
        return self._pairs(
            "name, comment", "columns", f"{_in(SCHEMA)} AND table = '{table}'"
        ) | self._pairs("'', comment", "tables", of_table)

    def make_foreign(self, table: str) -> None:
        self._server.run(f"CREATE DATABASE IF NOT EXISTS {SCHEMA}")
        self._server.run(
            f"CREATE TABLE {SCHEMA}.{table} ENGINE = Log AS SELECT toInt64(42) AS snapshot_id"
        )

    def _pairs(self, columns: str, table: str, where: str) -> dict[str, str]:
        asked = f"SELECT {columns} FROM system.{table} WHERE {where}"
        order = " ORDER BY position" if table == "columns" else ""
        return dict(tuple(row.values()) for row in self._server.rows(asked + order))


def _in(schema: str) -> str:
    return f"database = '{schema}'"


KINDS: Mapping[str, Callable[[Path], Kind]] = {"duckdb": DuckDbKind, "clickhouse": ClickHouseKind}
"""What makes a warehouse of each kind, given an empty folder; PostgreSQL needs a server."""


def _plain(value: Any, type_: pa.DataType) -> Any:
    return dict(value) if pa.types.is_map(type_) and value is not None else value
