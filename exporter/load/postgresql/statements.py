"""The SQL of the tables: their columns, keys, indexes, comments and views.

A table is partitioned by `snapshot_id`, with a partition for each snapshot. All names are quoted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import pyarrow as pa

from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, meaning

LONGEST_NAME = 63
"""Bytes of an identifier: PostgreSQL cuts longer ones, and says nothing."""

_TYPES: Mapping[pa.DataType, str] = MappingProxyType(
    {
        pa.string(): "text",
        pa.int16(): "smallint",
        pa.int32(): "integer",
        pa.int64(): "bigint",
        pa.float32(): "real",
        pa.float64(): "double precision",
        pa.bool_(): "boolean",
        pa.date32(): "date",
        pa.binary(): "bytea",
        pa.json_(): "jsonb",
    }
)
_INDEXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Which images bear a digest, which repository has which images.
        "images": ("digest", "repository_name"),
        # Who uses a layer, what deleting images would free.
        "layers": ("digest",),
        # Which images a platform's image belongs to.
        "image_references": ("child_image_id",),
        # Which images bear a tag, in all repositories.
        "tags": ("tag",),
        # How much a blob is used, in all registries.
        "blobs": ("digest",),
    }
)
"""Columns with an index of their own, without `snapshot_id`: a partition has only one."""
NULL_IN_KEY: Mapping[str, str] = MappingProxyType(
    # A blob of a registry that was not listed; a tag of an image without a repository's name.
    {"blobs": "registry_id", "tags": "repository_name"}
)
"""Columns of keys that may be null, in snapshots of which a finding tells. A primary key refuses
null, so a table that had one has a unique index from then on."""


def identifier(*names: str) -> str:
    """Return a quoted identifier, of names that qualify each other."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """Return a quoted text; a backslash is an ordinary letter, whatever the server's settings."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def sql_type(type_: pa.DataType) -> str | None:
    """Return the type of a column; None for one that has none."""
    if pa.types.is_timestamp(type_):
        return "timestamp with time zone" if type_.tz else "timestamp without time zone"
    if pa.types.is_map(type_) or pa.types.is_struct(type_):
        return "jsonb"
    if pa.types.is_list(type_):
        inner = _TYPES.get(type_.value_type)
        return f"{inner}[]" if inner else "jsonb"
    return _TYPES.get(type_)


def column(table: WarehouseTable, field: pa.Field) -> str:
    """Return a column's definition.

    Texts in keys and indexes are ordered by their bytes, as in the snapshots' files. That sorts
    faster, and no update of the system's collations can break the index.
    """
    searched = field.name in (*table.key, *_INDEXES.get(table.name, ()))
    collation = ' COLLATE pg_catalog."C"' if searched and field.type == pa.string() else ""
    return f"{identifier(field.name)} {sql_type(field.type)}{collation}"


def create_table(schema: str, table: WarehouseTable) -> Iterator[str]:
    """Return the statements for an empty table, with its key, its indexes and its comments."""
    name = identifier(schema, table.name)
    columns = ", ".join(column(table, field) for field in table.schema)
    partitioned = "" if table == SNAPSHOTS else f" PARTITION BY LIST ({identifier(SNAPSHOT_ID)})"
    yield f"CREATE TABLE {name} ({columns}){partitioned}"
    if table.key:
        yield f"ALTER TABLE {name} ADD PRIMARY KEY ({identifiers(table.key)})"
    else:
        yield f"ALTER TABLE {name} ALTER COLUMN {identifier(SNAPSHOT_ID)} SET NOT NULL"
    for indexed in _INDEXES.get(table.name, ()):
        yield f"CREATE INDEX ON {name} ({identifier(indexed)})"
    yield f"COMMENT ON TABLE {name} IS {literal(table.comment)}"
    yield from comment_columns(schema, table, table.schema)


def comment_columns(
    schema: str, table: WarehouseTable, fields: Iterable[pa.Field]
) -> Iterator[str]:
    """Return the statements for the meanings of columns."""
    for field in fields:
        if meaning(field):
            where = identifier(schema, table.name, field.name)
            yield f"COMMENT ON COLUMN {where} IS {literal(meaning(field))}"


def identifiers(names: Iterable[str]) -> str:
    """Return quoted identifiers, joined by commas."""
    return ", ".join(map(identifier, names))


def partition_name(table: str, snapshot_id: str) -> str:
    """Return the name of a snapshot's partition: ids may be longer than a name can be."""
    digest = hashlib.sha256(f"{table}/{snapshot_id}".encode()).hexdigest()[:16]
    return f"{table[: LONGEST_NAME - len(digest) - 1]}_{digest}"


def create_view(schema: str, table: WarehouseTable) -> Iterator[str]:
    """Return the statements for the view with the rows of the newest complete snapshot.

    The server finds the snapshot's partition when the query begins, and reads no other.
    """
    view = identifier(schema, table.view)
    # `exporter.load.tables.SNAPSHOTS` says which snapshot that is.
    yield (
        f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {identifier(schema, table.name)} "  # noqa: S608 - names
        f"WHERE {identifier(SNAPSHOT_ID)} = (SELECT {identifier(SNAPSHOT_ID)} "
        f"FROM {identifier(schema, SNAPSHOTS.name)} WHERE status = 'complete' "
        "AND (source ->> 'kind' = 'oci' OR coalesce((coverage ->> 'vanished')::bigint, 0) = 0) "
        f"ORDER BY finished_at DESC, {identifier(SNAPSHOT_ID)} DESC LIMIT 1)"
    )
    yield f"COMMENT ON VIEW {view} IS {literal(table.view_comment)}"
