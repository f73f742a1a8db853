"""The database with the tables of a load: its tables, their columns and their partitions."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.errors import LoadError
from exporter.load.clickhouse.connection import Connection, literal, name
from exporter.load.clickhouse.lease import Lease
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, is_ours
from exporter.wording import option

LOADING = "loading_"
"""What the names of the tables begin with that rows wait in."""


@dataclass
class Relation:
    """A table or a view that is there: its comment, and the types of its columns."""

    is_view: bool
    comment: str
    columns: dict[str, str] = field(default_factory=dict)


class Database:
    """A database of an open connection, which `lease` locks. Methods raise `LoadError`."""

    def __init__(self, connection: Connection, schema: str, lease: Lease) -> None:
        self.connection = connection
        self.schema = schema
        self.lease = lease
        self.shown = connection.shown
        """The server's name in messages."""

    def make(self) -> None:
        """Make the database if it is not there; raises `LoadError`."""
        # To look first: CREATE needs a right also where the database is there.
        there = self.connection.rows(
            "SELECT count() FROM system.databases WHERE name = {schema:String}",
            {"schema": self.schema},
        )
        if not there[0][0]:
            self.connection.run(f"CREATE DATABASE IF NOT EXISTS {name(self.schema)}")

    def qualified(self, table: str) -> str:
        """Return a table's or view's name with that of the database, as SQL quotes them."""
        return f"{name(self.schema)}.{name(table)}"

    def relations(self, *tables: WarehouseTable) -> dict[str, Relation]:
        """Return the tables and views of the database by their names.

        Raises `LoadError` if one that bears the name of one of `tables`, or of its view, is not
        ours.
        """
        schema = {"schema": self.schema}
        found = {
            table: Relation(engine == "View", comment)
            for table, engine, comment in self.connection.rows(
                "SELECT name, engine, comment FROM system.tables WHERE database = {schema:String}",
                schema,
            )
        }
        for table, column, type_ in self.connection.rows(
            "SELECT table, name, type FROM system.columns WHERE database = {schema:String} "
            "ORDER BY table, position",
            schema,
        ):
            if table in found:
                found[table].columns[column] = type_
        for wanted in tables:
            for one, is_view in ((wanted.name, False), (wanted.view, True)):
                there = found.get(one)
                if there and (there.is_view != is_view or not is_ours(there.comment)):
                    kind = "view" if there.is_view else "table"
                    raise LoadError(
                        f"{self.shown} has a {kind} {self.schema}.{one} that no load has made: "
                        f"name another schema with {option('schema')}, or rename that {kind}."
                    )
        return found

    def remove(self, snapshot_id: str) -> None:
        """Remove a snapshot from `snapshots`, then from every table of ours."""
        own = [
            one
            for one, there in self.relations().items()
            if not (there.is_view or one.startswith(LOADING))
            and is_ours(there.comment)
            and SNAPSHOT_ID in there.columns
        ]
        # Without its row in `snapshots`, no view shows the rest.
        for table in sorted(own, key=lambda one: one != SNAPSHOTS.name):
            self.drop_partition(table, snapshot_id)

    def drop_partition(self, table: str, snapshot_id: str) -> None:
        """Remove a snapshot's rows of one table at once; there need not be any."""
        self.lease.renew()
        self.connection.run(
            f"ALTER TABLE {self.qualified(table)} DROP PARTITION {literal(snapshot_id)}"
        )
