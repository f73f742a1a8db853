"""Writes one snapshot in one transaction: new tables first, which become partitions at the end.

While rows are copied and keys are built, readers meet no lock. Only the end of a reload, where the
old partitions go, locks them out for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa
import structlog

from exporter.load.postgresql.catalog import Catalog, Relation, missing_columns
from exporter.load.postgresql.columns import CopyRows
from exporter.load.postgresql.locks import lock_out_readers
from exporter.load.postgresql.session import Session
from exporter.load.postgresql.statements import (
    NULL_IN_KEY,
    column,
    comment_columns,
    create_table,
    create_view,
    identifier,
    identifiers,
    literal,
    partition_name,
    sql_type,
)
from exporter.load.postgresql.transactions import Transactions
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable
from exporter.load.warehouse import SnapshotLoad, TableSource

log = structlog.get_logger()

_CHECK = "is_of_snapshot"
_SWAPPING = "put the new partitions in place"


@dataclass(frozen=True)
class _Written:
    """A table whose rows of the snapshot are written, into a new table of this name."""

    table: WarehouseTable
    name: str
    key_has_null: bool


class PostgreSqlWriter:
    """One snapshot on its way into PostgreSQL, as `exporter.load.warehouse.SnapshotWriter` says."""

    def __init__(
        self,
        session: Session,
        catalog: Catalog,
        transactions: Transactions,
        load: SnapshotLoad,
        there: dict[str, Relation],
    ) -> None:
        self._session = session
        self._catalog = catalog
        self._schema = catalog.schema
        self._transactions = transactions
        self._load = load
        self._there = there
        self._written: list[_Written] = []
        self._committed = False

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
        if not self._committed:
            self._transactions.rollback()

    def write(self, table: WarehouseTable, source: TableSource) -> int:
        """Copy the rows into a new table, count them there, and build its key and indexes."""
        doing = f"write the table {table.name}"
        if table.name not in self._there:
            self._session.run(doing, create_table(self._schema, table))
        name = self._new_table(table)
        rows = CopyRows(table.schema)
        self._session.copy(doing, self._schema, name, rows.schema, rows.batches(source.batches()))
        for replaced, count in sorted(rows.replaced.items()):
            log.warning(
                "nul_replaced", table=table.name, column=replaced, values=count, by="U+FFFD"
            )
        new = identifier(self._schema, name)
        (counted,) = self._session.rows(f"count {table.name}", f"SELECT count(*) FROM {new}")  # noqa: S608 - a name
        key_has_null = bool(rows.nulls[NULL_IN_KEY.get(table.name, "")])
        self._written.append(_Written(table, name, key_has_null))
        self._build_keys(table, new, key_has_null=key_has_null)
        return int(counted[0])

    def commit(self) -> None:
        """Put the new tables in place of the old ones, and write the row and the views."""
        snapshot_id = self._load.snapshot_id
        names = {one.table.name for one in self._written}
        old = [
            one
            for one in self._catalog.partitions(snapshot_id)
            if one.table in names or self._load.replaces_another
        ]
        loosened = [one.table for one in self._written if self._must_loosen(one)]
        for table in loosened:
            self._index_partitions(table)
        grown = {
            table.name: columns
            for table in self._load.tables
            if table.name in self._there
            and (columns := missing_columns(table, self._there[table.name]))
        }
        lock_out_readers(
            self._session,
            [
                *(self._name(f"latest_{one}") for one in grown if f"latest_{one}" in self._there),
                *(self._name(one) for one in sorted({*grown, *(table.name for table in loosened)})),
                *(f"ONLY {self._name(one)}" for one in sorted({one.table for one in old})),
                *(f"ONLY {one.identifier}" for one in old),
            ],
        )
        run = self._session.run
        run(_SWAPPING, (f"DROP TABLE {one.identifier}" for one in old))
        for table in self._load.tables:
            run(_SWAPPING, self._grow(table, grown.get(table.name, [])))
        for table in loosened:
            run(_SWAPPING, self._loosen(table))
        for one in self._written:
            run(_SWAPPING, self._attach(one))
        for table in self._load.tables:
            view = self._there.get(table.view)
            if view is None or {*view.columns} != {*self._columns(table)}:
                run(_SWAPPING, create_view(self._schema, table))
        self._write_row()
        self._transactions.commit("commit the snapshot")
        self._committed = True

    def _name(self, name: str) -> str:
        return identifier(self._schema, name)

    def _columns(self, table: WarehouseTable) -> list[str]:
        there = self._there.get(table.name)
        return [*(there.columns if there else ()), *table.schema.names]

    def _new_table(self, table: WarehouseTable) -> str:
        """Create an empty table like the partition, and return its name."""
        name = partition_name(f"new_{table.name}", self._load.snapshot_id)
        new = self._name(name)
        there = self._there.get(table.name)
        statements = [f"CREATE TABLE {new} (LIKE {self._name(table.name)})"]
        if there:
            statements += [
                f"ALTER TABLE {new} ADD COLUMN {column(table, field)}"
                for field in missing_columns(table, there)
            ]
        if table.name in NULL_IN_KEY:
            nullable = identifier(NULL_IN_KEY[table.name])
            statements.append(f"ALTER TABLE {new} ALTER COLUMN {nullable} DROP NOT NULL")
        # With this check, attaching the table as a partition reads none of its rows.
        same = f"{identifier(SNAPSHOT_ID)} = {literal(self._load.snapshot_id)}"
        statements.append(
            f"ALTER TABLE {new} ADD CONSTRAINT {_CHECK} "
            f"CHECK ({identifier(SNAPSHOT_ID)} IS NOT NULL AND {same})"
        )
        self._session.run(f"make room for the table {table.name}", statements)
        return name

    def _build_keys(self, table: WarehouseTable, new: str, *, key_has_null: bool) -> None:
        """Give the new table the keys and indexes of the partitioned one, which a user may change.

        Attaching it would build those that are missing, but in the time of the locks.
        """
        constraints = self._catalog.constraints(table.name)
        indexes = self._catalog.indexes(table.name)
        statements = [
            f"CREATE {'UNIQUE ' if unique else ''}INDEX ON {new} {text}" for unique, text in indexes
        ]
        for kind, _, text in constraints:
            if kind == "p" and key_has_null:
                statements.append(f"CREATE UNIQUE INDEX ON {new} ({identifiers(table.key)})")
            else:
                statements.append(f"ALTER TABLE {new} ADD {text}")
        doing = f"build the indexes of {table.name}"
        self._session.run(doing, [*statements, f"ANALYZE {new}"])

    def _must_loosen(self, one: _Written) -> bool:
        kinds = [kind for kind, _, _ in self._catalog.constraints(one.table.name)]
        return one.key_has_null and "p" in kinds

    def _index_partitions(self, table: WarehouseTable) -> None:
        """Build the unique index that replaces a primary key, while readers go on."""
        doing = f"replace the primary key of {table.name}, which has a null"
        self._session.run(
            doing,
            (
                f"CREATE UNIQUE INDEX ON {one.identifier} ({identifiers(table.key)})"
                for one in self._catalog.partitions_of(table.name)
            ),
        )

    def _loosen(self, table: WarehouseTable) -> list[str]:
        """Return the statements that make a table's primary key a unique index."""
        name = self._name(table.name)
        drops = [
            f"ALTER TABLE {name} DROP CONSTRAINT {identifier(constraint)}"
            for kind, constraint, _ in self._catalog.constraints(table.name)
            if kind == "p"
        ]
        nullable = identifier(NULL_IN_KEY[table.name])
        return [
            *drops,
            f"ALTER TABLE {name} ALTER COLUMN {nullable} DROP NOT NULL",
            f"CREATE UNIQUE INDEX ON {name} ({identifiers(table.key)})",
        ]

    def _grow(self, table: WarehouseTable, columns: list[pa.Field]) -> list[str]:
        """Return the statements that add columns to a table and all of its partitions."""
        name = self._name(table.name)
        return [
            *(f"ALTER TABLE {name} ADD COLUMN {column(table, field)}" for field in columns),
            *comment_columns(self._schema, table, columns),
        ]

    def _attach(self, one: _Written) -> list[str]:
        """Return the statements that make a new table the partition of the snapshot."""
        snapshot_id = self._load.snapshot_id
        final = partition_name(one.table.name, snapshot_id)
        table, value = self._name(one.table.name), literal(snapshot_id)
        partition = self._name(final)
        return [
            f"ALTER TABLE {self._name(one.name)} RENAME TO {identifier(final)}",
            f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES IN ({value})",
            f"ALTER TABLE {partition} DROP CONSTRAINT {_CHECK}",
            f"COMMENT ON TABLE {partition} IS {literal(f'Snapshot {snapshot_id}.')}",
        ]

    def _write_row(self) -> None:
        names = SNAPSHOTS.schema.names
        values = [
            f"${number}::text::{sql_type(SNAPSHOTS.schema.field(name).type)}"
            for number, name in enumerate(names, 1)
        ]
        row = [str(self._load.row[name]) for name in names]
        changes = ", ".join(f"{identifier(one)} = EXCLUDED.{identifier(one)}" for one in names)
        self._session.rows(
            "write the row in snapshots",
            f"INSERT INTO {self._name(SNAPSHOTS.name)} ({identifiers(names)}) "  # noqa: S608 - names
            f"VALUES ({', '.join(values)}) "
            f"ON CONFLICT ({identifier(SNAPSHOT_ID)}) DO UPDATE SET {changes}",
            *row,
        )
