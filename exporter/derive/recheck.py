"""Rechecking: whether a snapshot's derived tables follow from its other tables."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.derive.reachable import reachable_problem
from exporter.derive.steps import SOURCES, create_sources, run_steps
from exporter.sql.engine import (
    FOR_MANY,
    Resources,
    create_view,
    first_line,
    literal,
    open_engine,
    resources_for,
    script,
    with_enough_memory,
)
from exporter.sql.shares import shares
from exporter.tables.schemas import ADDED_IN, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RECHECKED = ("tags", "blobs", "size_totals")
"""The recomputed tables. (A finding may need something that only the run saw.)"""


def recompute_problems(parts: Mapping[str, Sequence[Path]], working: Path) -> list[str]:
    """Recompute `tags`, `blobs`, `size_totals`, and what is `reachable`, and compare them.

    `parts` are the local Parquet files of a snapshot's tables, by table: these three, the listed
    ones and `coverage`. Snapshots of an older minor format are without tables and columns that are
    newer. DuckDB spills to a folder of its own below `working`. Returns a sentence
    for each table that differs, and for unreadable tables. Raises `OutputError` if the disk is
    full.
    """
    missing = [
        name for name in (*SOURCES, *RECHECKED) if not parts.get(name) and name not in ADDED_IN
    ]
    if missing:
        return [f"{name}: there is no Parquet file to recompute totals from" for name in missing]
    with tempfile.TemporaryDirectory(dir=working) as folder:
        work = partial(_recompute, parts, Path(folder))
        return with_enough_memory(work, _resources(parts["layers"]))


def _resources(layers: Sequence[Path]) -> Resources:
    try:
        enough = resources_for(layers, one_by_one=True)
    except (pa.ArrowException, OSError):
        return FOR_MANY  # A file cannot be read: the recomputation says so.
    if enough == FOR_MANY:
        return enough
    # By measurement, to write and compare what so many rows give takes more than to derive it.
    return replace(enough, memory_bytes=2 * enough.memory_bytes)


def _recompute(
    parts: Mapping[str, Sequence[Path]], folder: Path, resources: Resources
) -> list[str]:
    import duckdb  # noqa: PLC0415  (its import takes long: a run does it while its first calls are answered)

    with open_engine(folder, resources, elsewhere="TMPDIR") as connection:
        try:
            create_sources(connection, {name: parts.get(name, ()) for name in SOURCES})
            run_steps(connection, left_out=_left_out(connection, parts))
            return list(_problems(connection, parts, folder))
        except (duckdb.IOException, duckdb.OutOfMemoryException):
            raise  # The fault is not in the snapshot; the engine's error is a sentence already.
        except duckdb.Error as error:
            return [f"totals cannot be recomputed: {first_line(error)}"]


def _problems(
    connection: DuckDBPyConnection, parts: Mapping[str, Sequence[Path]], folder: Path
) -> Iterator[str]:
    for name in RECHECKED:
        yield from _compare(connection, name, parts[name], folder)
    reachable = reachable_problem(connection)
    if reachable is not None:
        yield reachable


def _left_out(
    connection: DuckDBPyConnection, parts: Mapping[str, Sequence[Path]]
) -> list[tuple[str, str]]:
    """Return the scopes that a filter left something out of, as the published totals state them.

    No other table can tell, so this cannot be checked.
    """
    for name in ("coverage", "size_totals"):
        create_view(connection, f"published_{name}", parts[name])
    return connection.execute(
        "SELECT scope, scope_id FROM published_size_totals "
        "WHERE scope IN ('folder', 'cloud') AND NOT complete "
        "AND EXISTS (FROM published_coverage WHERE status = 'skipped')"
    ).fetchall()


def _compare(
    connection: DuckDBPyConnection, name: str, parts: Sequence[Path], folder: Path
) -> Iterator[str]:
    """Yield the differences between the recomputed and the published rows of a table."""
    table = TABLES[name]
    key = ", ".join(table.key)
    create_view(connection, "published", parts)
    # An older minor format has fewer columns.
    published = {column for column, *_ in connection.execute("DESCRIBE published").fetchall()}
    columns = ", ".join(column for column in table.schema.names if column in published)
    connection.execute(f"CREATE OR REPLACE VIEW recomputed AS {script(f'tables/{name}')}")
    ((rows,),) = connection.execute("SELECT count(*) FROM published").fetchall()
    some = shares(rows, key)
    if len(some) > 1:
        # Each share would compute them again.
        path = folder / f"{name}.parquet"
        connection.execute(f"COPY recomputed TO {literal(str(path))} (FORMAT parquet)")
        create_view(connection, "recomputed", [path])
    counts: Counter[bool] = Counter()
    first: dict[bool, list[str]] = {}
    for share in some:
        # Equal rows of both sides cancel each other; each row that is left is on one side only.
        differing = connection.execute(
            f"SELECT missing, count(*) OVER (PARTITION BY missing), {key} FROM ("  # noqa: S608
            f"SELECT {columns}, sum(side) > 0 AS missing FROM ("
            f"SELECT {columns}, 1 AS side FROM recomputed WHERE {share} "
            f"UNION ALL SELECT {columns}, -1 AS side FROM published WHERE {share}"
            f") GROUP BY {columns} HAVING sum(side) <> 0"
            f") QUALIFY row_number() OVER (PARTITION BY missing ORDER BY {key}) = 1"
        ).fetchall()
        for missing, count, *values in differing:
            counts[missing] += count
            named = list(map(str, values))
            first[missing] = min(named, first.get(missing, named))
    for missing in sorted(first, reverse=True):
        what = "does not have the row that follows" if missing else "has a row that does not follow"
        more = f", and {counts[missing] - 1} more like it" if counts[missing] > 1 else ""
        yield f"{name} {what} from the listed tables: {', '.join(first[missing])}{more}"
