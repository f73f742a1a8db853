"""The tables as a warehouse has them: `snapshot_id` in front of every row and of every key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.tables.columns import column, text, time
from exporter.tables.schemas import TABLES

SNAPSHOT_ID = "snapshot_id"
LATEST = "latest_"
"""What the names of the views begin with."""
_MARK = "Loaded by registry-exporter."
_ID = text(SNAPSHOT_ID, "The snapshot that the row is of")


@dataclass(frozen=True)
class WarehouseTable:
    """One table in a warehouse: its name, its key and its columns, `snapshot_id` first.

    The key of a table that is newer than this program is not known: it is empty. The columns'
    meanings are in the metadata of the schema's fields (`meaning`).
    """

    name: str
    description: str
    key: tuple[str, ...]
    schema: pa.Schema

    @property
    def comment(self) -> str:
        """The comment on the table, which also marks it as ours."""
        return f"{self.description}. {_MARK}"

    @property
    def view(self) -> str:
        """The name of the view with the rows of the newest complete snapshot."""
        return f"{LATEST}{self.name}"

    @property
    def view_comment(self) -> str:
        """The comment on that view, which also marks it as ours."""
        return f"{self.description}, in the newest complete snapshot. {_MARK}"


SNAPSHOTS = WarehouseTable(
    "snapshots",
    "The snapshots that were loaded",
    (SNAPSHOT_ID,),
    pa.schema(
        [
            text(SNAPSHOT_ID, "The snapshot's id"),
            text("status", "complete or partial; a partial snapshot is never the latest"),
            time("started_at", "When the export began"),
            time("finished_at", "When the export ended"),
            time("loaded_at", "When the snapshot was loaded"),
            text("format_version", "The version of the tables' format"),
            text("generator", "The program that made the snapshot, with its version"),
            column("source", pa.json_(), "Where the images were listed from"),
            column("scope", pa.json_(), "What the export was asked to list"),
            column("totals", pa.json_(), "The row of size_totals for all scopes together"),
            column("coverage", pa.json_(), "How many listings ended with each status"),
        ]
    ),
)
"""The table with a row for each snapshot that was loaded.

The newest complete snapshot, whose rows the views show, is the one with the latest `finished_at`
(then the greatest id) of those with the status `complete` of which nothing vanished while they were
listed: `coverage` counts no `vanished` there, or the kind of `source` is `oci`, where only a tag
can vanish (`Manifest.is_sound`). It is the one in `latest.json` of an output.
"""

JSON_COLUMNS = tuple(field.name for field in SNAPSHOTS.schema if field.type == pa.json_())
"""The columns of `SNAPSHOTS` that hold JSON."""

SNAPSHOTS_AS_TEXT = replace(
    SNAPSHOTS,
    schema=pa.schema(
        [
            field.with_type(pa.string()) if field.name in JSON_COLUMNS else field
            for field in SNAPSHOTS.schema
        ]
    ),
)
"""`SNAPSHOTS` for a warehouse without a type for JSON: it is text."""


def snapshot_row(manifest: Manifest, loaded_at: datetime) -> dict[str, Any]:
    """Return a snapshot's row of `SNAPSHOTS` by column: texts, times in UTC, and JSON as text."""
    content = manifest.model_dump(mode="json")
    as_json = {name: orjson.dumps(content[name]).decode() for name in JSON_COLUMNS}
    plain = {
        name: getattr(manifest, name)
        for name in SNAPSHOTS.schema.names
        if name not in as_json and name != "loaded_at"
    }
    return plain | as_json | {"loaded_at": loaded_at}


def meaning(field: pa.Field) -> str:
    """Return what a column means, empty where that is not known."""
    return str((field.metadata or {}).get(b"description", b"").decode())


def is_ours(comment: str | None) -> bool:
    """Return whether a table or a view with this comment was made by a load."""
    return _MARK in (comment or "")


def table_names(snapshot: Snapshot) -> list[str]:
    """Return the names of a snapshot's tables: those of the data model, then those newer than it.

    A table that the snapshot's older format does not have is among them, and is empty.
    """
    return [*TABLES, *(name for name in snapshot.tables if name not in TABLES)]


def tables_of(snapshot: Snapshot, only: Collection[str] = ()) -> tuple[WarehouseTable, ...]:
    """Return a snapshot's tables for a warehouse, or only those of these names.

    Raises what `Snapshot.schema` raises.
    """
    names = [name for name in table_names(snapshot) if not only or name in only]
    return tuple(_table(name, snapshot.schema(name)) for name in names)


def _table(name: str, schema: pa.Schema) -> WarehouseTable:
    columns = [_ID, *(field.with_type(plain_type(field.type)) for field in schema)]
    known = TABLES.get(name)
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    return WarehouseTable(
        name,
        known.description if known else metadata.get(b"description", name.encode()).decode(),
        (SNAPSHOT_ID, *known.key) if known else (),
        pa.schema(columns),
    )


def plain_type(type_: pa.DataType) -> pa.DataType:
    """Return a type with Arrow's own names of inner fields, and without large or coded texts."""
    if pa.types.is_map(type_):
        return pa.map_(plain_type(type_.key_type), plain_type(type_.item_type))
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.list_(plain_type(type_.value_type))
    if pa.types.is_dictionary(type_):
        return plain_type(type_.value_type)
    return pa.string() if pa.types.is_large_string(type_) else type_
