"""The scripts between the listed tables and the derived ones, run in order over any snapshot.

The snapshot may be staged or published: the scripts only use views of its tables in a DuckDB
connection. `create_sources` makes them from Parquet files, `Snapshot.register` from a published
snapshot. Analyses use the same tables and views: `uses`, `shared`, `held`, `repeats`,
`unreached`, `attestations`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.derive.slices import run_layer_uses
from exporter.sql.engine import create_view, script
from exporter.tables.schemas import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCES = tuple(table.name for table in TABLES.values() if table.kind != "derived")
"""The tables from which the others are derived."""
NEEDS: Mapping[str, Collection[str]] = {
    "scopes": (),
    "coverage": (),
    "reach": (),
    "layer_uses": ("scopes", "reach"),
    "tags": ("scopes",),
    "config_uses": ("scopes",),
    "listings": ("scopes", "coverage"),
    "shared": ("layer_uses", "config_uses"),
    "repeats": ("layer_uses",),
    "blobs": ("shared", "repeats"),
    "sums": ("shared",),
    "size_totals": ("sums", "listings"),
    "findings": ("sums", "tags", "coverage"),
}
"""The steps in order, each with the earlier ones that it needs. A step makes a table of the
snapshot, or runs the script of its name, which several other steps use."""
STEPS = tuple(name for name in NEEDS if name not in TABLES)
"""The scripts among them, in order. Each script says which tables and views it makes."""


def create_sources(connection: DuckDBPyConnection, parts: Mapping[str, Sequence[Path]]) -> None:
    """Make a view of each table's Parquet files, by the table's name.

    Columns that files of an older minor format lack are null; a table may be without files.
    """
    for name, paths in parts.items():
        create_view(connection, name, paths, TABLES[name].schema)


def run_steps(
    connection: DuckDBPyConnection,
    steps: Collection[str] = STEPS,
    *,
    left_out: Collection[tuple[str, str]] = (),
) -> None:
    """Run some scripts, by default all, each after those it needs; each once for a connection.

    The connection has views of the snapshot's `SOURCES`, by their names. `left_out` are the scopes,
    by kind and id, that a filter left something out of. No table has them, so `listings` takes them
    from here.
    Raises `KeyError` for a step that does not exist, and DuckDB's errors.
    """
    wanted = set(steps)
    if not wanted.issubset(STEPS):
        raise KeyError(*sorted(wanted.difference(STEPS)))
    for name in reversed(tuple(NEEDS)):
        if name in wanted:
            wanted.update(NEEDS[name])
    if "listings" in wanted:
        create_left_out(connection, left_out)
    for name in STEPS:
        if name in wanted:
            run_step(connection, name)


def run_step(connection: DuckDBPyConnection, name: str) -> None:
    """Run one script, after those that it needs."""
    if name == "layer_uses":
        run_layer_uses(connection)
    else:
        connection.execute(script(f"steps/{name}"))


def create_left_out(connection: DuckDBPyConnection, left_out: Collection[tuple[str, str]]) -> None:
    """Make the table `left_out` of these scopes, by kind and id."""
    connection.execute("CREATE TABLE left_out (scope VARCHAR, scope_id VARCHAR)")
    columns = [[row[place] for row in left_out] for place in (0, 1)]
    connection.execute(
        "INSERT INTO left_out SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", columns
    )
