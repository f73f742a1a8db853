"""The derivation in Spark: duplicates are dropped, and the derived tables follow, for all parts.

The scripts are DuckDB's, transpiled (`scripts.py`); what one machine does in `exporter.derive`,
tasks do here. Staging is a folder that the driver and every executor reach by the same path. The
parts of a table stand in the order of partitions, those of one partition by their number. Nothing
that stands is changed: parts that need another content are written anew below another folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa

from exporter.derive.dropping import without, write_changed, write_durably
from exporter.derive.duplicates import (
    CHANGED,
    CHANGED_SCHEMA,
    KEYS,
    LISTED,
    a_duplicate,
    rows_by_registry,
)
from exporter.derive.reachable import FOUND_ROWS, WRONG_PARTS, filled
from exporter.derive.steps import NEEDS, SOURCES, STEPS
from exporter.spark.scripts import Scripts
from exporter.spark.staged import few, new_session, path_of, read, read_places
from exporter.spark.writing import write_rows
from exporter.staging.layout import StagedFile
from exporter.storage.durable import make_folder
from exporter.tables.staged import OWN, STAGED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Parts = Mapping[str, Sequence[StagedFile]]
"""Parquet parts by table, in order: the listed tables, and those of the run alone (`OWN`). A table
may be missing if it has no rows."""

_COLLECTED_ROWS = 4096
_LEFT_OUT = pa.schema([("scope", pa.string()), ("scope_id", pa.string())])


@dataclass(frozen=True)
class Listed:
    """The listed tables without duplicates.

    `rows` is how many rows `repositories` and `images` have, by table and registry, as
    `CoverageRows` takes them. `changed` is a Parquet file of the images that came with two
    contents, for the findings.
    """

    parts: Parts
    rows: Mapping[str, Mapping[str, int]]
    changed: Path


def drop_duplicates(session: SparkSession, parts: Parts, folder: Path) -> Listed:
    """Drop the repositories and images that came before, with what belongs to them.

    The first one in the order of the parts stays, as `exporter.derive.duplicates` says. Parts with
    dropped rows are written anew by tasks below `folder`, as is `changed`. Raises Spark's errors,
    and `OutputError` in a task.
    """
    own = new_session(session)
    scripts = Scripts(own, _new(folder, "dropping"))
    for table in LISTED:
        _view(own, table, parts)
    make_folder(folder)
    changed = folder / CHANGED
    write_durably(changed, CHANGED_SCHEMA, [CHANGED_SCHEMA.empty_table()])
    kept = dict(parts)
    try:
        if any(own.sql(a_duplicate(table)).head(1) for table in KEYS):
            for table in LISTED:
                _view_places(own, table, parts)
            read(own, [changed], CHANGED_SCHEMA).createOrReplaceTempView("changed")
            scripts.run("dedupe/duplicates")
            rows = _batches(scripts.query("dedupe/changed"), CHANGED_SCHEMA)
            write_durably(changed, CHANGED_SCHEMA, rows)
            plan = scripts.query("dedupe/drop").groupBy("table", "part")
            kept |= _rewritten(plan.agg({"part_row": "collect_list"}), _dropped, parts, folder)
            for table in KEYS:
                _view(own, table, kept)
        counts = {table: dict(own.sql(rows_by_registry(table)).collect()) for table in KEYS}
    finally:
        scripts.close()
    return Listed(kept, counts, changed)


def derive(
    session: SparkSession,
    listed: Listed,
    coverage: Sequence[StagedFile],
    folder: Path,
    *,
    left_out: Collection[tuple[str, str]] = (),
) -> dict[str, Sequence[StagedFile]]:
    """Derive from the listed tables and the parts of `coverage`; return the parts of all tables.

    `left_out` are the scopes, by kind and id, that a filter left something out of. Tasks write the
    derived tables below `folder`: sorted by the table's key, `blobs` by registries only. So they do
    the parts of `images` in which `reachable` or `kind` was missing or wrong, as
    `exporter.derive.reachable` says. The caller's session keeps its views and its settings. Raises
    Spark's errors.
    """
    own = new_session(session)
    parts = {**listed.parts, "coverage": coverage}
    for name in (*SOURCES, *(table.name for table in OWN)):
        _view(own, name, parts)
    read(own, [listed.changed], CHANGED_SCHEMA).createOrReplaceTempView("changed")
    scopes = [{"scope": scope, "scope_id": scope_id} for scope, scope_id in left_out]
    few(own, pa.Table.from_pylist(scopes, _LEFT_OUT)).createOrReplaceTempView("left_out")
    scripts = Scripts(own, _new(folder, "steps"))
    needed = {name for needs in NEEDS.values() for name in needs}
    try:
        for name in NEEDS:
            if name in STEPS:
                scripts.run(f"steps/{name}")
            elif name not in SOURCES:
                make_folder(folder / name)
                parts[name] = write_rows(scripts.query(f"tables/{name}"), name, folder / name)
                if name in needed:
                    _view(own, name, parts)
        parts["images"] = _images(own, listed.parts, folder)
    finally:
        scripts.close()
    return parts


def _images(session: SparkSession, parts: Parts, folder: Path) -> Sequence[StagedFile]:
    _view_places(session, "images", parts)
    plan = session.sql(f"SELECT 'images' AS `table`, part FROM ({WRONG_PARTS})")  # noqa: S608  (own text)
    for table in ("unreached", "attestations"):
        found = session.sql(FOUND_ROWS.format(table))
        rows = found.groupBy("part").agg({"part_row": "collect_list"}).toDF("part", table)
        plan = plan.join(rows, on="part", how="left")
    plan = plan.select("table", "part", "unreached", "attestations")
    return _rewritten(plan, _filled, parts, folder).get("images", parts.get("images", ()))


def _view(session: SparkSession, table: str, parts: Parts) -> None:
    rows = read(session, _paths(table, parts), STAGED[table].schema)
    rows.createOrReplaceTempView(table)


def _view_places(session: SparkSession, table: str, parts: Parts) -> None:
    rows = read_places(session, _paths(table, parts), STAGED[table].schema)
    rows.createOrReplaceTempView(f"places_{table}")


def _paths(table: str, parts: Parts) -> list[Path]:
    return [part.path for part in parts.get(table, ()) if part.rows]


_Change = Callable[[pa.RecordBatch, int], pa.RecordBatch]


def _dropped(rows: list[int]) -> _Change:
    return partial(without, pa.array(rows, pa.int64()))


def _filled(unreached: list[int] | None, attestations: list[int] | None) -> _Change:
    return partial(
        filled, *(pa.array(rows or [], pa.int64()) for rows in (unreached, attestations))
    )


def _rewritten(
    plan: DataFrame, change: Callable[..., _Change], parts: Parts, folder: Path
) -> dict[str, list[StagedFile]]:
    """Write the parts that a plan names anew, and return all parts of their tables.

    The plan has a table and a part, and beside them what `change` takes. Each attempt of a task
    writes below a folder of its own, and only those parts count that a task returned.
    """
    tasks = plan.rdd.map(partial(_write, change, folder))
    written = {(table, path_of(part)): file for table, part, file in tasks.collect()}
    return {
        table: [written.get((table, file.path), file) for file in parts[table]]
        for table in {table for table, _ in written}
    }


def _write(
    change: Callable[..., _Change], folder: Path, row: tuple[Any, ...]
) -> tuple[str, str, StagedFile]:
    table, part, *given = row
    attempt = _new(folder, "rewritten")
    return table, part, write_changed(attempt, table, path_of(part), change(*given))


def _new(folder: Path, what: str) -> Path:
    return folder / f"{what}-{uuid4().hex}"


def _batches(rows: DataFrame, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield a query's rows in order, some at a time."""
    some: list[dict[str, Any]] = []
    for row in rows.toLocalIterator():
        some.append(row.asDict())
        if len(some) == _COLLECTED_ROWS:
            yield pa.Table.from_pylist(some, schema)
            some = []
    yield pa.Table.from_pylist(some, schema)
