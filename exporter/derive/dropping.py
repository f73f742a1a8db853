"""Dropping rows from staged parts by a plan, so that a kill in between does no harm.

- `drop.parquet` is the plan: it has a row, with its place, for each row to drop. It appears whole.
- Each part is replaced by a rename. A part that differs from the plan's record has been replaced.
- A plan is deleted after it was carried out. The next plan handles rows that came since.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.sql.engine import script, stream
from exporter.staging.layout import StagedFile, staged_parts, staged_path
from exporter.staging.parquet import PartWriter, output_errors, written_schema
from exporter.storage.durable import fsync, replace
from exporter.tables.schemas import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLAN = "drop.parquet"
_REWRITTEN = "rewritten"

_PLAN_SCHEMA = pa.schema([("table", pa.string()), ("part", pa.string()), ("part_row", pa.int64())])


def write_plan(staging: Path, connection: DuckDBPyConnection) -> None:
    """Write the plan: the rows that `drop.sql` finds, and a record of each part as it is now."""
    prints = {
        f"{table.name}/{path.name}": _print(path)
        for table in TABLES.values()
        if table.kind == "listed"  # Other parts may be written at this moment.
        for path in staged_parts(staging, table.name)
    }
    rows = stream(connection, script("dedupe/drop"), _PLAN_SCHEMA)
    write_durably(staging / PLAN, _PLAN_SCHEMA.with_metadata(prints), rows)


def finish_dropping(staging: Path) -> None:
    """Carry a plan out, if there is one: write the parts it names without the rows it names.

    Raises `OutputError`.
    """
    with output_errors(staging):
        if (staging / PLAN).exists():
            _carry_out(staging)


def _carry_out(staging: Path) -> None:
    plan = staging / PLAN
    for part, print_ in (pq.read_schema(plan).metadata or {}).items():
        table, _, name = part.decode().partition("/")
        path = staged_path(staging, table, 0, "parquet").with_name(name)
        # A part that differs by now was replaced by an earlier attempt, or written again.
        if path.exists() and _print(path).encode() == print_:
            named = (pc.field("table") == table) & (pc.field("part") == name)
            # A `key=value` in the output's path must not become a column.
            found = pq.read_table(plan, columns=["part_row"], filters=named, partitioning=None)
            rows = found["part_row"].combine_chunks()
            if len(rows):
                rewrite(staging, table, path, partial(without, rows))
    shutil.rmtree(staging / _REWRITTEN, ignore_errors=True)
    _end_plan(staging)


def write_durably(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write a Parquet file that appears whole or not at all."""
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for rows in tables:
            writer.write_table(rows.cast(schema))
    fsync(partial)
    replace(partial, path)
    fsync(path.parent)


def _end_plan(staging: Path) -> None:
    (staging / PLAN).unlink()
    fsync(staging)


def _print(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} bytes of {status.st_mtime_ns}"


def rewrite(
    staging: Path,
    table: str,
    path: Path,
    change: Callable[[pa.RecordBatch, int], pa.RecordBatch],
) -> None:
    """Replace a part: `change` makes the new rows from a batch and its first row's number.

    Texts that repeat are dictionary-encoded, as the part has them: it is read by row groups.
    """
    replace(write_changed(staging / _REWRITTEN, table, path, change).path, path)
    fsync(path.parent)


def write_changed(
    folder: Path,
    table: str,
    path: Path,
    change: Callable[[pa.RecordBatch, int], pa.RecordBatch],
) -> StagedFile:
    """Write what `change` makes of a part, as for `rewrite`, below another folder."""
    number = int(path.stem.removeprefix("part-"))
    part = PartWriter(folder, TABLES[table], number)
    schema = written_schema(TABLES[table])
    repeating = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    try:
        with pq.ParquetFile(path, pre_buffer=False, read_dictionary=repeating) as file:
            start = 0
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, use_threads=False).combine_chunks()
                for batch in rows.to_batches():
                    part.append(pa.Table.from_batches([change(batch, start)]))
                    start += len(batch)
        return part.close()
    except BaseException:
        part.abandon()
        raise


def without(rows: pa.Array, batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
    """Return a batch without some of its part's rows; `rows` are their numbers, from 0."""
    numbers = pa.arange(start, start + len(batch))
    inside = pc.and_(pc.greater_equal(rows, start), pc.less(rows, start + len(batch)))
    dropped = rows.filter(inside)
    return batch.filter(pc.invert(pc.is_in(numbers, dropped))) if len(dropped) else batch
