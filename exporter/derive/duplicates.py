"""Duplicates: no repository and no image stands twice, however the pages overlapped.

Of an image that came twice, the first occurrence stays, with its layers and its config. What is to
be dropped from all tables is written down before the first part is replaced (`dropping`), so
that a run that is killed in between is gone on with from there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.derive.dropping import carry_out, planned, write_durably, write_plan
from exporter.derive.engine import (
    Means,
    create_numbered_view,
    create_view,
    means_for,
    open_engine,
    script,
    staged_parts,
    stream,
    with_enough_memory,
)
from exporter.snapshot.parts import output_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHANGED = "changed.parquet"
"""The images that came with two contents, for the findings; absent where there are none."""
CHANGED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "registry_id", "repository_name", "detail")]
)

# Layers and configs have no key of their own: they are doubled where their image is.
_KEYS = {"repositories": "repository_name", "images": "image_id"}
_LISTED = (*_KEYS, "layers", "config_blobs")


def drop_duplicates(staging: Path) -> dict[str, dict[str, int]]:
    """Drop all but the first row of each repository and each image from the staged parts.

    Both tables, `layers` and `config_blobs` need at least one part. An image's later occurrences go
    with their layers and configs; where their content differs from the first one's, the image is
    named in `staging`/changed.parquet. Only parts that hold such rows are written again.

    Returns how many rows of `repositories` and `images` are left, by table and registry. Killed at
    any point, it can simply be called again. Raises `OutputError`.
    """
    with output_errors(staging):
        while True:
            # Parts may have come, or been written anew, since an earlier attempt made its plan.
            if planned(staging):
                carry_out(staging)
            means = means_for(staged_parts(staging, "layers"))
            kept = with_enough_memory(partial(_count_or_plan, staging), means)
            if kept is not None:
                return kept


def _count_or_plan(staging: Path, means: Means) -> dict[str, dict[str, int]] | None:
    """Return how many rows there are, or plan what is to be dropped of them, and return None."""
    with open_engine(staging, means) as connection:
        for table in _LISTED:
            parts = staged_parts(staging, table)
            create_view(connection, table, parts)
            create_numbered_view(connection, f"places_{table}", parts)
        if any(_has_duplicates(connection, *each) for each in _KEYS.items()):
            _plan(connection, staging)
            return None
        return {table: _by_registry(connection, table) for table in _KEYS}


def create_changed(connection: DuckDBPyConnection, staging: Path) -> None:
    """Make `changed` a view of the images that came with two contents."""
    path = staging / CHANGED
    if path.exists():
        create_view(connection, "changed", [path])
    else:
        columns = ", ".join(f"NULL::VARCHAR AS {name}" for name in CHANGED_SCHEMA.names)
        connection.execute(f"CREATE VIEW changed AS SELECT {columns} LIMIT 0")


def _plan(connection: DuckDBPyConnection, staging: Path) -> None:
    """Write down what is to be dropped, and before it which images had two contents."""
    connection.execute(script("duplicates"))
    create_changed(connection, staging)
    # Once parts are replaced, nothing could tell what the contents were.
    write_durably(
        staging / CHANGED, CHANGED_SCHEMA, stream(connection, script("changed"), CHANGED_SCHEMA)
    )
    write_plan(staging, connection)


def _by_registry(connection: DuckDBPyConnection, table: str) -> dict[str, int]:
    query = f"SELECT registry_id, count(*) FROM {table} GROUP BY registry_id"  # noqa: S608  (own name)
    return dict(connection.execute(query).fetchall())


def _has_duplicates(connection: DuckDBPyConnection, table: str, key: str) -> bool:
    query = (
        f"SELECT 1 FROM {table} WHERE {key} IS NOT NULL "  # noqa: S608  (own names)
        f"GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    )
    return connection.execute(query).fetchone() is not None
