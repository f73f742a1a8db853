"""Duplicates: no repository and no image is in a table twice, however the pages overlapped.

If an image came twice, its first occurrence stays, with its layers and its config. The rows to drop
from all tables are written to a plan before the first part is replaced (`dropping`), so a run that
is killed in between can be resumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.derive.dropping import write_durably, write_plan
from exporter.sql.engine import (
    create_numbered_view,
    create_view,
    script,
    stream,
)
from exporter.staging.layout import staged_parts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHANGED = "changed.parquet"
"""The images that came with two contents, for the findings; missing if there are none."""
CHANGED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "registry_id", "repository_name", "detail")]
)

# The others come twice if their image does.
KEYS = {"repositories": "repository_name", "images": "image_id"}
LISTED = (*KEYS, "layers", "config_blobs", "image_references")


class DuplicatesError(Exception):
    """Some rows came twice; a plan of the rows to drop is written, for `dropping`."""


def rows_left(connection: DuckDBPyConnection, staging: Path) -> dict[str, dict[str, int]]:
    """Return how many rows `repositories` and `images` have, by table and registry.

    These two, `layers`, `config_blobs` and `image_references` are views of the staged parts;
    `create_changed` has made `changed`. Raises `DuplicatesError` if a repository or an image is in
    them more than once. An image's later occurrences will be dropped with their layers, configs and
    references. If their content differs from the first one's, `staging`/changed.parquet names the
    image.
    """
    if any(connection.execute(a_duplicate(table)).fetchone() for table in KEYS):
        _plan(connection, staging)
        raise DuplicatesError
    return {table: dict(connection.execute(rows_by_registry(table)).fetchall()) for table in KEYS}


def create_changed(connection: DuckDBPyConnection, staging: Path) -> None:
    """Make `changed` a view of the images that came with two contents."""
    path = staging / CHANGED
    create_view(connection, "changed", [path] if path.exists() else [], CHANGED_SCHEMA)


def _plan(connection: DuckDBPyConnection, staging: Path) -> None:
    """Write the images with two contents, then the plan of the rows to drop."""
    for table in LISTED:
        create_numbered_view(connection, f"places_{table}", staged_parts(staging, table))
    connection.execute(script("dedupe/duplicates"))
    # Once parts are replaced, the other contents are lost.
    write_durably(
        staging / CHANGED,
        CHANGED_SCHEMA,
        stream(connection, script("dedupe/changed"), CHANGED_SCHEMA),
    )
    write_plan(staging, connection)


def rows_by_registry(table: str) -> str:
    """Return the query of how many rows one of `KEYS` has, by registry."""
    return f"SELECT registry_id, count(*) FROM {table} GROUP BY registry_id"  # noqa: S608  (own name)


def a_duplicate(table: str) -> str:
    """Return the query that has a row if one of `KEYS` has a key more than once."""
    key = KEYS[table]
    return (
        f"SELECT 1 FROM {table} WHERE {key} IS NOT NULL "  # noqa: S608  (own names)
        f"GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    )
