"""A line of Python that a summary suggests: it asks a published snapshot a question."""

from __future__ import annotations

import glob
from pathlib import Path

from exporter.cli.terminal.invocation import from_here


def untagged_query(folder: Path, snapshot_id: str) -> str:
    """Return Python that shows the repositories of a snapshot, for a person to run."""
    # DuckDB takes * and ? and [ in a folder's name for a pattern.
    place = glob.escape(from_here(folder))
    files = f"{place}/parquet/size_totals/snapshot_id={snapshot_id}/*.parquet".replace("'", "''")
    # Left to itself, it also takes `scope=x` in the path for a column.
    source = f"read_parquet('{files}', hive_partitioning = false)"
    columns = "scope_id, image_count, untagged_size"
    condition = "scope = 'repository' ORDER BY untagged_size DESC LIMIT 10"
    query = f"SELECT {columns} FROM {source} WHERE {condition}"  # noqa: S608 - it is quoted
    return f"import duckdb; duckdb.sql({_literal(query)}).show()"


def _literal(text: str) -> str:
    """Return Python's literal of a text, in double quotes: SQL has single ones in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
