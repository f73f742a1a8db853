"""The derived tables of a staging folder, written as Parquet parts beside the listed ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.derive.duplicates import create_changed, rows_left
from exporter.derive.reachable import fill_from_references
from exporter.derive.steps import NEEDS, SOURCES, create_left_out, create_sources, run_step
from exporter.sql.engine import (
    Resources,
    create_view,
    open_engine,
    resources_for,
    script,
    stream,
    with_enough_memory,
)
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import PART_BYTES, PartWriter, output_errors, write_table
from exporter.tables.columns import Table
from exporter.tables.schemas import TABLES
from exporter.tables.staged import OWN
from exporter.threads import Stop

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CoverageRows = Callable[[Mapping[str, Mapping[str, int]]], pa.Table]
"""Makes the rows of `coverage`; its argument is how many rows `repositories` and `images` have, by
table and registry."""


def derive(
    staging: Path,
    coverage: CoverageRows,
    *,
    left_out: Collection[tuple[str, str]] = (),
    resources: Resources | None = None,
    stop: Stop | None = None,
) -> None:
    """Write `coverage`, `tags`, `blobs`, `size_totals` and `findings` from the listed tables.

    Each becomes one or more parts below `staging`/parquet, in the order of its key (`blobs` only in
    the order of registries). Parts of an earlier attempt are replaced. Then `images.reachable` is
    filled in. Every listed table needs at least one part. `coverage` is called in another thread,
    and again if memory was too small. `left_out` are the scopes, by kind and id, that a filter left
    something out of; no table has them. DuckDB spills below `staging`, and begins with `resources`,
    by default by the number of rows. `stop` interrupts the queries. Raises `OutputError`, and
    `DuplicatesError` if rows must be dropped first.
    """
    with output_errors(staging):
        resources = resources or resources_for(staged_parts(staging, "layers"))
    with_enough_memory(partial(_derive, staging, coverage, left_out, stop or Stop()), resources)


def _derive(
    staging: Path,
    coverage: CoverageRows,
    left_out: Collection[tuple[str, str]],
    stop: Stop,
    resources: Resources,
) -> None:
    with (
        output_errors(staging),
        open_engine(staging, resources) as connection,
        stop.interrupting(connection.interrupt),
    ):
        listed = {name: staged_parts(staging, name) for name in SOURCES if name != "coverage"}
        create_sources(connection, listed)
        create_left_out(connection, left_out)
        create_changed(connection, staging)
        for own in OWN:
            create_view(connection, own.name, staged_parts(staging, own.name), own.schema)
        done: dict[str, Future[None]] = {}
        threads = ThreadPoolExecutor(resources.queries, thread_name_prefix="derive")
        try:
            # They start in order, so that none waits for one without a thread. With one thread, and
            # much to do, no further step starts after a failure.
            for name, needed in NEEDS.items():
                needs = [done[each] for each in (needed if resources.queries > 1 else done)]
                step = (connection.cursor(), staging, name, coverage, needs, stop)
                done[name] = threads.submit(_step, *step)
            for each in done.values():
                each.result()
            fill_from_references(connection, staging)
        finally:
            threads.shutdown(cancel_futures=True)


def _step(
    connection: DuckDBPyConnection,
    staging: Path,
    name: str,
    coverage: CoverageRows,
    needs: Iterable[Future[None]],
    stop: Stop,
) -> None:
    """Do one step of `NEEDS`, after those that it needs; a written table becomes a view."""
    for need in needs:
        need.result()
    with connection, stop.interrupting(connection.interrupt):
        if name not in TABLES:
            run_step(connection, name)
            return
        if name == "coverage":
            write_table(staging, TABLES[name], [coverage(rows_left(connection, staging))])
        else:
            _write_one(connection, staging, TABLES[name])
        create_view(connection, name, staged_parts(staging, name))


def _write_one(connection: DuckDBPyConnection, staging: Path, table: Table) -> None:
    for old in staged_parts(staging, table.name):
        old.unlink()
    number = 0
    part = PartWriter(staging, table, number)
    try:
        for rows in stream(connection, script(f"tables/{table.name}"), table.schema):
            if part.size() >= PART_BYTES:
                part.close()
                number += 1
                part = PartWriter(staging, table, number)
            part.append(rows)
    except BaseException:
        part.abandon()
        raise
    part.close()
