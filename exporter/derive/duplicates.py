"""Duplicates: no key stands twice in a listed table, however the pages overlapped.

Of an image that came twice, the first occurrence stays, with its layers and its config. What is to
be dropped from all tables is written down before the first part is replaced (`dropping`), so
that a run that is killed in between is gone on with from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.derive.dropping import (
    Dropped,
    carried_out,
    carry_out,
    planned,
    write_durably,
    write_plan,
)
from exporter.derive.engine import (
    MEMORY_LIMIT_BYTES,
    THREADS,
    create_numbered_view,
    create_view,
    open_engine,
    script,
    staged_parts,
    stream,
)
from exporter.snapshot.parts import output_errors
from exporter.tables import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHANGED = "changed.parquet"
"""The images that came with two contents, for the findings; absent where there are none."""
CHANGED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "registry_id", "repository_name", "detail")]
)

_LISTED = tuple(table for table in TABLES.values() if table.kind == "listed")
# Layers and configs have no key of their own: they are doubled where their image is.
_KEYED = tuple(table for table in _LISTED if table.name not in ("layers", "config_blobs"))


def drop_duplicates(
    staging: Path, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES, threads: int = THREADS
) -> list[Dropped]:
    """Drop all but the first row of each key from the staged parts of the listed tables.

    Every listed table needs at least one part. An image's later occurrences go with their layers
    and configs; where their content differs from the first one's, the image is named in
    `staging`/changed.parquet. Only parts that hold such rows are written again.

    Returns how many rows were dropped, by table and registry, those that earlier attempts in the
    same folder dropped included. Killed at any point, it can simply be called again. Raises
    `OutputError`.
    """
    with output_errors(staging):
        if planned(staging):
            carry_out(staging)
        # Parts may have come, or been written anew, since that plan was made.
        while _plan(staging, memory_limit_bytes, threads):
            carry_out(staging)
        return carried_out(staging)


def create_changed(connection: DuckDBPyConnection, staging: Path) -> None:
    """Make `changed` a view of the images that came with two contents."""
    path = staging / CHANGED
    if path.exists():
        create_view(connection, "changed", [path])
    else:
        columns = ", ".join(f"NULL::VARCHAR AS {name}" for name in CHANGED_SCHEMA.names)
        connection.execute(f"CREATE TEMP VIEW changed AS SELECT {columns} LIMIT 0")


def _plan(staging: Path, memory_limit_bytes: int, threads: int) -> bool:
    """Write down what is to be dropped; return whether there is anything."""
    with open_engine(staging, memory_limit_bytes=memory_limit_bytes, threads=threads) as connection:
        for table in _LISTED:
            parts = staged_parts(staging, table.name)
            create_view(connection, table.name, parts)
            create_numbered_view(connection, f"places_{table.name}", parts)
        if not any(_has_duplicates(connection, table.name, *table.key) for table in _KEYED):
            return False
        connection.execute(script("duplicates"))
        create_changed(connection, staging)
        # Written first: once parts are replaced, nothing could tell what the contents were.
        write_durably(
            staging / CHANGED, CHANGED_SCHEMA, stream(connection, script("changed"), CHANGED_SCHEMA)
        )
        write_plan(staging, connection)
        return True


def _has_duplicates(connection: DuckDBPyConnection, table: str, key: str) -> bool:
    query = (
        f"SELECT 1 FROM {table} WHERE {key} IS NOT NULL "  # noqa: S608  (names of the schema)
        f"GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    )
    return connection.execute(query).fetchone() is not None
