"""A line of Python that a summary suggests: a query of the published snapshot."""

from __future__ import annotations

import glob
from pathlib import Path

from exporter.cli.terminal.invocation import from_here


def untagged_query(folder: Path, snapshot_id: str) -> str:
    """Return Python that shows the repositories of a snapshot, for a person to run."""
    # DuckDB reads * and ? and [ in a folder's name as a pattern.
    place = glob.escape(from_here(folder))
    files = f"{place}/parquet/size_totals/snapshot_id={snapshot_id}/*.parquet".replace("'", "''")
    # By default, DuckDB reads `scope=x` in the path as a column.
    source = f"read_parquet('{files}', hive_partitioning = false)"
    columns = "scope_id, image_count, untagged_size"
    condition = "scope = 'repository' ORDER BY untagged_size DESC LIMIT 10"
    query = f"SELECT {columns} FROM {source} WHERE {condition}"  # noqa: S608 - it is quoted
    return f"import duckdb; duckdb.sql({_literal(query)}).show()"


def _literal(text: str) -> str:
    """Return a text as Python's literal in double quotes: SQL has single ones in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
