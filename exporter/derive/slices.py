"""The layers of very many images are grouped a slice of the registries after the other.

DuckDB cannot spill all that the grouping needs, and what it spills takes time. By measurement, a
hundred million layers in four slices took two thirds of the CPU time of one, and two thirds of the
memory.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.sql.engine import literal, script

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SLICE_ROWS = 26_000_000
"""The most layers of a slice; a registry is not cut, however many it has."""
_SLICED = ("images", "layers")


def run_layer_uses(connection: DuckDBPyConnection) -> None:
    """Make `layer_uses`: by its script, or a view of what that makes of each slice.

    The connection has views of the snapshot's tables, by their names. No layer's repository is in
    two slices, because its name begins with the registry.
    """
    text = script("steps/layer_uses")
    conditions = slices(connection)
    if len(conditions) == 1:
        connection.execute(text)
        return
    for number, condition in enumerate(conditions):
        for table in _SLICED:
            # A temporary view goes before another of its name.
            connection.execute(
                f"CREATE OR REPLACE TEMP VIEW {table} AS "
                f"FROM {_whole(connection, table)} WHERE {condition}"
            )
        connection.execute(text)
        connection.execute(f"ALTER TABLE layer_uses RENAME TO layer_uses_{number}")
    for table in _SLICED:
        connection.execute(f"DROP VIEW temp.{table}")
    each = " UNION ALL ".join(f"FROM layer_uses_{number}" for number in range(len(conditions)))
    connection.execute(f"CREATE VIEW layer_uses AS {each}")


def _whole(connection: DuckDBPyConnection, table: str) -> str:
    place = connection.execute("SELECT current_database(), current_schema()").fetchall()[0]
    return ".".join(f'"{name}"' for name in (*place, table))


def slices(connection: DuckDBPyConnection) -> list[str]:
    """Return the condition of each slice of `images` and `layers`; one holds for each row."""
    counts = connection.execute(
        "SELECT registry_id, sum(layer_count) FROM images "
        "WHERE registry_id IS NOT NULL GROUP BY registry_id ORDER BY registry_id"
    ).fetchall()
    begins: list[str] = []
    rows = 0
    for registry_id, layers in counts:
        if rows and rows + layers > SLICE_ROWS:
            begins.append(literal(registry_id))
            rows = 0
        rows += layers
    if not begins:
        return ["true"]
    between = [f"registry_id >= {begin} AND registry_id < {end}" for begin, end in pairwise(begins)]
    first = f"registry_id < {begins[0]} OR registry_id IS NULL"
    return [first, *between, f"registry_id >= {begins[-1]}"]
