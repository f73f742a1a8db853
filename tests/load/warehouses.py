"""Loads in this process, and what a PostgreSQL schema has, read by another client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.sql import SQL, Identifier

from exporter.load.loader import LoadResult, load
from exporter.settings import Settings, settings_alone
from exporter.tables.schemas import TABLES
from tests.load.postgres import Server
from tests.load.published import Row, in_order, true_rows


@dataclass(frozen=True)
class Target:
    """A schema of a server, and an output to load into it."""

    server: Server
    schema: str
    output: Path
    database: str = "postgres"

    def settings(self, **over: Any) -> Settings:
        """Return settings of a load."""
        url = self.server.url(self.database)
        own = {"to": url, "schema": self.schema} | over
        return settings_alone({"output": {"url": str(self.output)}, "load": own})

    def load(self, *names: str, prune: bool = False, **over: Any) -> LoadResult:
        """Load in this process."""
        return load(self.settings(**over), names or ("new",), prune=prune)

    def flags(self, *more: str) -> tuple[str, ...]:
        """Return the command line of a load."""
        to = ("--to", self.server.url(self.database), "--schema", self.schema)
        return ("load", *to, "--output", str(self.output), "--log-format", "json", *more)

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in which `{name}` is a table of the schema."""
        names = {one: Identifier(self.schema, one) for one in (*TABLES, "snapshots", *LATEST)}
        with self.server.connect(self.database) as connection:
            return connection.execute(SQL(query).format(**names), values).fetchall()

    def rows(self, table: str, snapshot_id: str | None = None) -> list[Row]:
        """Return a table's rows, or those of one snapshot."""
        where = (
            SQL("") if snapshot_id is None else SQL(" WHERE snapshot_id = {}").format(snapshot_id)
        )
        query = SQL("SELECT * FROM {}").format(Identifier(self.schema, table)) + where
        with self.server.connect(self.database) as connection:
            cursor = connection.execute(query)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def has(self, snapshot_id: str, tables: Sequence[str] = tuple(TABLES)) -> bool:
        """Say whether every table has exactly the rows that the output has of a snapshot."""
        return all(
            in_order(self.rows(table, snapshot_id))
            == in_order(true_rows(self.output, snapshot_id, table))
            for table in tables
        )

    def size(self) -> int:
        """Return the bytes of all tables and indexes."""
        ((size,),) = self.ask(
            "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relkind = 'r'",
            self.schema,
        )
        return int(size)

    def partitions(self) -> list[str]:
        """Return the names of all partitions."""
        return [
            name
            for (name,) in self.ask(
                "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = %s AND relispartition AND relkind = 'r'",
                self.schema,
            )
        ]


LATEST = tuple(f"latest_{name}" for name in TABLES)
