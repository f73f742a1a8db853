"""The derived tables of a staging folder, written as Parquet parts beside the listed ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.derive.duplicates import create_changed
from exporter.derive.engine import (
    Means,
    create_view,
    means_for,
    open_engine,
    script,
    staged_parts,
    stream,
    with_enough_memory,
)
from exporter.snapshot.parts import PART_BYTES, PartWriter, output_errors
from exporter.tables import TABLES, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCES = tuple(table.name for table in TABLES.values() if table.kind != "derived")
"""The tables that the derived ones follow from."""
_STEPS: Mapping[str, Collection[str]] = {
    "layer_uses": (),
    "tags": (),
    "config_uses": (),
    "shared": ("layer_uses", "config_uses"),
    "repeats": ("layer_uses",),
    "blobs": ("shared", "repeats"),
    "size_totals": ("shared",),
    "findings": ("shared", "tags"),
}
"""What is made of the sources and `scopes`, in order, and what each needs of those before it."""


def derive(
    staging: Path,
    *,
    left_out: Collection[tuple[str, str]] = (),
    means: Means | None = None,
) -> None:
    """Write `tags`, `blobs`, `size_totals` and `findings` from the other tables' staged parts.

    Each becomes one or more parts below `staging`/parquet, in the order of its key (`blobs`: of the
    registries alone); parts of an earlier attempt are replaced. Every other table needs at least
    one part, and no duplicates (`drop_duplicates`). `left_out` are the scopes, by kind and id, that
    lack what a filter left out and no table has. DuckDB spills below `staging`, and begins with
    `means`, by default what suits the rows. Raises `OutputError`.
    """
    with output_errors(staging):
        means = means or means_for(staged_parts(staging, "layers"))
    with_enough_memory(partial(_derive, staging, left_out), means)


def _derive(staging: Path, left_out: Collection[tuple[str, str]], means: Means) -> None:
    with output_errors(staging), open_engine(staging, means) as connection:
        sources = {name: staged_parts(staging, name) for name in SOURCES}
        _create_sources(connection, sources, left_out)
        create_changed(connection, staging)
        connection.execute(script("scopes"))
        done: dict[str, Future[None]] = {}
        # They are begun in order, so that none waits for one that finds no thread.
        with ThreadPoolExecutor(means.queries, thread_name_prefix="derive") as threads:
            for name, needed in _STEPS.items():
                needs = [done[each] for each in needed]
                done[name] = threads.submit(_step, connection.cursor(), staging, name, needs)
            for step in done.values():
                step.result()


def prepare(
    connection: DuckDBPyConnection,
    parts: Mapping[str, Sequence[Path]],
    left_out: Collection[tuple[str, str]],
) -> None:
    """Make the sources' views, and the tables that several derived tables build on."""
    _create_sources(connection, parts, left_out)
    for name in ("scopes", *_STEPS):
        if name not in TABLES:
            connection.execute(script(name))


def _create_sources(
    connection: DuckDBPyConnection,
    parts: Mapping[str, Sequence[Path]],
    left_out: Collection[tuple[str, str]],
) -> None:
    connection.execute("CREATE TABLE left_out (scope VARCHAR, scope_id VARCHAR)")
    columns = [[row[place] for row in left_out] for place in (0, 1)]
    connection.execute(
        "INSERT INTO left_out SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", columns
    )
    for name in SOURCES:
        create_view(connection, name, parts[name])


def _step(
    connection: DuckDBPyConnection, staging: Path, name: str, needs: Iterable[Future[None]]
) -> None:
    """Take one of `_STEPS`, once what it needs is done; a written table is a view from then on."""
    for need in needs:
        need.result()
    with connection:
        if name in TABLES:
            _write_one(connection, staging, TABLES[name])
            create_view(connection, name, staged_parts(staging, name))
        else:
            connection.execute(script(name))


def _write_one(connection: DuckDBPyConnection, staging: Path, table: Table) -> None:
    for old in staged_parts(staging, table.name):
        old.unlink()
    number = 0
    part = PartWriter(staging, table, number)
    try:
        for rows in stream(connection, script(table.name), table.schema):
            if part.size() >= PART_BYTES:
                part.close()
                number += 1
                part = PartWriter(staging, table, number)
            part.append(rows)
    except BaseException:
        part.abandon()
        raise
    part.close()
