"""From listed parts to a whole staged snapshot: every table, in every format."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.derive.dropping import finish_dropping
from exporter.derive.duplicates import DuplicatesError
from exporter.derive.parents import fill_parents
from exporter.derive.tables import CoverageRows, derive
from exporter.staging.layout import StagedFile, staged_parts
from exporter.staging.ndjson import write_ndjson
from exporter.staging.parquet import write_table
from exporter.tables.schemas import TABLES
from exporter.threads import Stop


def conclude(
    staging: Path,
    small: Mapping[str, pa.Table],
    coverage: CoverageRows,
    formats: Collection[str],
    *,
    left_out: Collection[tuple[str, str]] = (),
    stop: Stop | None = None,
) -> list[StagedFile]:
    """Write the missing tables and formats of a snapshot, and return its files.

    `small` are the tables in memory; `coverage` and `left_out` are as for `derive`. If a repository
    or an image came twice, its first rows stay. After a kill at any point, or after `stop`, call it
    again. Raises `OutputError`, and any error after `stop`.
    """
    stop = stop or Stop()
    for name, rows in small.items():
        write_table(staging, TABLES[name], [rows])
    for name, table in TABLES.items():
        if table.kind == "listed" and not staged_parts(staging, name):
            write_table(staging, table, [])
    while True:
        # Parts may be new, or written again, since an earlier attempt made its plan.
        finish_dropping(staging)
        fill_parents(staging)
        # Free memory goes back to the system, so that DuckDB can use it.
        pa.default_memory_pool().release_unused()
        try:
            derive(staging, coverage, left_out=left_out, stop=stop)
        except DuplicatesError:
            continue
        break
    files: list[StagedFile] = []
    for name, table in TABLES.items():
        stop.check()
        parts = staged_parts(staging, name)
        if "parquet" in formats:
            files += [
                StagedFile(name, "parquet", part, pq.read_metadata(part).num_rows) for part in parts
            ]
        if "ndjson" in formats:
            files += write_ndjson(parts, table, staging, stop=stop)
    return files


def total_row(parts: Sequence[Path]) -> dict[str, Any]:
    """Return the `total` row, given the Parquet parts of `size_totals`."""
    # A `key=value` in the output's path must not become a column.
    total = pq.read_table(parts, filters=[("scope", "=", "total")], partitioning=None)
    row: dict[str, Any] = total.to_pylist()[0]
    return row
