"""Views of the tables of one or several snapshots, each row with the `snapshot_id` it is of.

A view has the rows of all the snapshots; a column that one of them lacks is null there. The view
`snapshots` has a row for each snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.dataset as ds

from exporter.snapshots.manifest import Manifest
from exporter.sql.ndjson import quoted
from exporter.tables.columns import TIME
from exporter.tables.schemas import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SNAPSHOTS = "snapshots"
"""The view with a row for each snapshot."""

_SNAPSHOTS_SCHEMA = pa.schema(
    [
        ("snapshot_id", pa.string()),
        ("status", pa.string()),
        ("started_at", TIME),
        ("finished_at", TIME),
        ("generator", pa.string()),
        ("format_version", pa.string()),
    ]
)
_ID_IN_PATH = "regexp_extract(filename, '.*snapshot_id=([^/]+)/', 1)"


class Source(Protocol):
    """A snapshot as this module reads it; `exporter.snapshots.reader.Snapshot` is one."""

    manifest: Manifest

    @property
    def tables(self) -> list[str]:
        """The names of the tables that can be read."""

    def is_remote(self, table: str) -> bool:
        """Say whether a table is read in place in a bucket."""

    def paths(self, table: str) -> list[Path]:
        """Return a table as Parquet files on this machine."""

    def fragments(self, table: str) -> list[ds.Fragment]:
        """Return a table's Parquet files in a bucket, with `snapshot_id` as a column of them."""

    def check(self, tables: Collection[str] | None = None) -> None:
        """Compare every byte of some tables with the manifest."""


def make_views(
    connection: DuckDBPyConnection, snapshots: Sequence[Source], tables: Collection[str]
) -> list[Path]:
    """Make a view of each of the tables, and `snapshots`.

    Returns the files that they read on this machine. Raises what `Snapshot.dataset` raises.
    """
    files: list[Path] = []
    for table in tables:
        parts = []
        # One scan for all snapshots whose columns are the same: its files are opened in turn.
        for number, same in enumerate(_alike(snapshots, table)):
            if same[0].is_remote(table):
                fragments = [part for one in same for part in one.fragments(table)]
                source = f"{table} in the bucket, {number}"
                connection.register(source, _dataset(fragments))
                parts.append(f"FROM {quoted(source)}")
            else:
                paths = [path for one in same for path in one.paths(table)]
                files += paths
                parts.append(_scan(paths, same))
        if _lacks_columns(snapshots, table):
            source = f"{table} without rows"
            connection.register(source, _without_rows(table))
            parts.insert(0, f"FROM {quoted(source)}")
        both = " UNION ALL BY NAME ".join(parts)
        connection.execute(
            f"CREATE VIEW {quoted(table)} AS "
            f"FROM ({both}) SELECT * EXCLUDE (snapshot_id), snapshot_id"
        )
    if SNAPSHOTS not in tables:
        connection.register(SNAPSHOTS, _manifests(snapshots))
    return files


def _alike(snapshots: Iterable[Source], table: str) -> list[list[Source]]:
    """Return the snapshots that have a table, those together whose files one scan can read."""
    groups: dict[tuple[bool, tuple[tuple[str, str], ...]], list[Source]] = {}
    for one in snapshots:
        if table in one.manifest.tables and table in one.tables:
            columns = one.manifest.tables[table].columns
            shape = tuple((column.name, column.type) for column in columns)
            groups.setdefault((one.is_remote(table), shape), []).append(one)
    return list(groups.values())


def _lacks_columns(snapshots: Iterable[Source], table: str) -> bool:
    """Say whether a snapshot is of an older minor format that has not all columns of a table."""
    if table not in TABLES:
        return False
    tables = [one.manifest.tables.get(table) for one in snapshots]
    names = [{column.name for column in found.columns} if found else set() for found in tables]
    return any(not found.issuperset(TABLES[table].schema.names) for found in names)


def _without_rows(table: str) -> pa.Table:
    schema = TABLES[table].schema.append(pa.field("snapshot_id", pa.string()))
    return schema.remove_metadata().empty_table()


def _scan(paths: Iterable[Path], snapshots: Sequence[Source]) -> str:
    literals = ", ".join(f"'{_text(str(path))}'" for path in paths)
    if len(snapshots) == 1:
        snapshot_id = f"'{_text(snapshots[0].manifest.snapshot_id)}'"
        source = f"read_parquet([{literals}], hive_partitioning = false)"
        return f"FROM {source} SELECT *, {snapshot_id} AS snapshot_id"
    source = f"read_parquet([{literals}], hive_partitioning = false, filename = true)"
    return f"FROM {source} SELECT * EXCLUDE (filename), {_ID_IN_PATH} AS snapshot_id"


def _text(value: str) -> str:
    return value.replace("'", "''")


def _dataset(fragments: Sequence[ds.Fragment]) -> ds.Dataset:
    schema = fragments[0].physical_schema.append(pa.field("snapshot_id", pa.string()))
    return ds.FileSystemDataset(fragments, schema, ds.ParquetFileFormat())


def _manifests(snapshots: Sequence[Source]) -> pa.Table:
    rows = [
        {name: getattr(one.manifest, name) for name in _SNAPSHOTS_SCHEMA.names} for one in snapshots
    ]
    return pa.Table.from_pylist(rows, _SNAPSHOTS_SCHEMA)
