"""What is there: the tables, views, partitions, keys and indexes of the schema.

The catalogs are those of https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from exporter.errors import LoadError
from exporter.load.postgresql.session import Session
from exporter.load.postgresql.statements import LONGEST_NAME, identifier, sql_type
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, is_ours
from exporter.wording import option

_LOOKING = "look at what is there"

_RELATIONS = """
    SELECT c.relname, c.relkind::text, obj_description(c.oid, 'pg_class'),
        pg_get_partkeydef(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2)
"""
_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
_PARTITIONS = """
    SELECT p.relname, cn.nspname, c.relname, obj_description(p.oid, 'pg_class')
    FROM pg_class p
    JOIN pg_namespace n ON n.oid = p.relnamespace
    JOIN pg_inherits i ON i.inhparent = p.oid
    JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_namespace cn ON cn.oid = c.relnamespace
    WHERE n.nspname = $1 AND p.relkind = 'p'
"""
_OF_SNAPSHOT = " AND pg_get_expr(c.relpartbound, c.oid) = $2"
_OF_TABLE = " AND p.relname = $2"
_CONSTRAINTS = """
    SELECT k.contype::text, k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND k.contype IN ('p', 'u')
"""
# The definition of an index is CREATE INDEX its name ON ONLY its table, and then what matters.
_INDEXES = """
    SELECT i.indisunique, substr(pg_get_indexdef(i.indexrelid), length(format(
        'CREATE %sINDEX %I ON ONLY %I.%I ',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname
    )))
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


@dataclass(frozen=True)
class Relation:
    """A table or a view: `kind` as in `pg_class.relkind`, and its columns' types by name."""

    kind: str
    comment: str | None
    partitioned_by: str | None
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Partition:
    """The partition of a table that has the rows of one snapshot."""

    table: str
    schema: str
    name: str

    @property
    def identifier(self) -> str:
        """The quoted name."""
        return identifier(self.schema, self.name)


class Catalog:
    """The catalog of one schema, as the current transaction sees it; methods raise `LoadError`."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self.schema = schema

    def has_schema(self) -> bool:
        """Say whether the schema is there."""
        return bool(self._rows("SELECT FROM pg_namespace WHERE nspname = $1", self.schema))

    def relations(self, tables: Iterable[WarehouseTable]) -> dict[str, Relation]:
        """Return those of the tables, and of their views, that are there.

        Raises `LoadError` if one is not ours, or has a column of another type.
        """
        wanted = {table.name: table for table in tables}
        names = [*wanted, *(table.view for table in wanted.values() if table != SNAPSHOTS)]
        self._check_fits(names, wanted.values())
        columns: dict[str, dict[str, str]] = {}
        for name, column, type_ in self._rows(_COLUMNS, self.schema, names):
            columns.setdefault(name, {})[column] = type_
        found = {
            name: Relation(kind, comment, partitioned_by, columns.get(name, {}))
            for name, kind, comment, partitioned_by in self._rows(_RELATIONS, self.schema, names)
        }
        for name, relation in found.items():
            self._check(name, relation, wanted.get(name))
        return found

    def partitions(self, snapshot_id: str) -> list[Partition]:
        """Return the partitions of a snapshot, in all tables that are ours."""
        return self._partitions(_OF_SNAPSHOT, f"FOR VALUES IN ('{snapshot_id}')")

    def partitions_of(self, table: str) -> list[Partition]:
        """Return all partitions of a table."""
        return self._partitions(_OF_TABLE, table)

    def constraints(self, table: str) -> list[tuple[str, str, str]]:
        """Return a table's keys: `p` or `u`, the name, and what `ADD` needs for one like it."""
        return [
            (kind, name, text) for kind, name, text in self._rows(_CONSTRAINTS, self.schema, table)
        ]

    def indexes(self, table: str) -> list[tuple[bool, str]]:
        """Return the other indexes: whether each is unique, and what follows the table's name."""
        return [(unique, text.strip()) for unique, text in self._rows(_INDEXES, self.schema, table)]

    def _check_fits(self, names: Iterable[str], tables: Iterable[WarehouseTable]) -> None:
        """Raise `LoadError` for a name that PostgreSQL cuts, or a type that it does not have."""
        for name in (self.schema, *names):
            if len(name.encode()) > LONGEST_NAME:
                raise self._refusal(f"cuts names of more than {LONGEST_NAME} bytes, such as {name}")
        for table in tables:
            for field in table.schema:
                if sql_type(field.type) is None:
                    raise LoadError(
                        f"{self._session.address.name} has no type for {table.name}.{field.name}, "
                        f"which is {field.type}: use a newer registry-exporter, or leave the table "
                        f"out with {option('table')}; nothing was written."
                    )

    def _check(self, name: str, relation: Relation, table: WarehouseTable | None) -> None:
        """Raise `LoadError` for a table or a view that no load has made, or that was changed."""
        kinds = "v" if table is None else "r" if table == SNAPSHOTS else "p"
        if relation.kind != kinds or not is_ours(relation.comment):
            what = "view" if relation.kind in "vm" else "table"
            raise self._refusal(
                f"has a {what} {self.schema}.{name} that no load has made, or that has lost its "
                "comment"
            )
        if relation.kind == "p" and relation.partitioned_by != f"LIST ({SNAPSHOT_ID})":
            raise self._refusal(f"has a table {self.schema}.{name} with other partitions")
        for field in table.schema if table else ():
            type_ = sql_type(field.type)
            there = relation.columns.get(field.name, type_)
            if there != type_:
                raise self._refusal(
                    f"has a column {self.schema}.{name}.{field.name} of type {there}, where the "
                    f"snapshot's is {type_}"
                )

    def _partitions(self, which: str, value: str) -> list[Partition]:
        return [
            Partition(table, schema, name)
            for table, schema, name, comment in self._rows(_PARTITIONS + which, self.schema, value)
            if is_ours(comment)
        ]

    def _refusal(self, why: str) -> LoadError:
        return LoadError(
            f"{self._session.address.name} {why}: name another schema with {option('schema')}, or "
            "rename what is there; nothing was written."
        )

    def _rows(self, sql: str, *values: str | list[str]) -> list[tuple[Any, ...]]:
        return self._session.rows(_LOOKING, sql, *values)


def missing_columns(table: WarehouseTable, relation: Relation) -> list[pa.Field]:
    """Return the columns of a table that the one in the warehouse does not have."""
    return [field for field in table.schema if field.name not in relation.columns]
