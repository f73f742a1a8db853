"""Duplicates: no repository and no image stands twice, however the pages overlapped.

Of an image that came twice, the first occurrence stays, with its layers and its config. What is to
be dropped from all tables is written down before the first part is replaced (`dropping`), so
that a run that is killed in between is gone on with from there.
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
"""The images that came with two contents, for the findings; absent where there are none."""
CHANGED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "registry_id", "repository_name", "detail")]
)

# Layers and configs have no key of their own: they are doubled where their image is.
_KEYS = {"repositories": "repository_name", "images": "image_id"}
_LISTED = (*_KEYS, "layers", "config_blobs")


class DuplicatesError(Exception):
    """Some rows stand twice: which of them to drop is written down, for `dropping` to carry out."""


def rows_left(connection: DuckDBPyConnection, staging: Path) -> dict[str, dict[str, int]]:
    """Return how many rows `repositories` and `images` have, by table and registry.

    These two, `layers` and `config_blobs` are views of the staged parts, and `changed` is as
    `create_changed` makes it. Raises `DuplicatesError` where a repository or an image stands in
    them more than once. An image's later occurrences are to go with their layers and configs; where
    their content differs from the first one's, the image is named in `staging`/changed.parquet.
    """
    if any(_has_duplicates(connection, *each) for each in _KEYS.items()):
        _plan(connection, staging)
        raise DuplicatesError
    return {table: _by_registry(connection, table) for table in _KEYS}


def create_changed(connection: DuckDBPyConnection, staging: Path) -> None:
    """Make `changed` a view of the images that came with two contents."""
    path = staging / CHANGED
    create_view(connection, "changed", [path] if path.exists() else [], CHANGED_SCHEMA)


def _plan(connection: DuckDBPyConnection, staging: Path) -> None:
    """Write down what is to be dropped, and before it which images had two contents."""
    for table in _LISTED:
        create_numbered_view(connection, f"places_{table}", staged_parts(staging, table))
    connection.execute(script("dedupe/duplicates"))
    # Once parts are replaced, nothing could tell what the contents were.
    write_durably(
        staging / CHANGED,
        CHANGED_SCHEMA,
        stream(connection, script("dedupe/changed"), CHANGED_SCHEMA),
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
