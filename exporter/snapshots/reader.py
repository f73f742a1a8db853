"""Reading a published snapshot: its manifest, its files, and its tables for PyArrow and DuckDB.

What is checked, and when:

- Opening a snapshot reads its manifest alone. A newer major `format_version` is refused. What an
  older minor one does not have is null: a column, or no rows: a table.
- The first use of a table checks that each of its files exists and has the manifest's size, and
  that the first one has the manifest's columns.
- A file that is copied from a bucket must also have the manifest's SHA-256.
- `Snapshot.check` compares every byte of the files with the manifest, on demand, and
  `Snapshot.checked_paths` that of a table's files that it gives. `verify` checks more than that
  (`exporter/verification.py`).

Nothing is ever written to the output. `snapshot_id=…` in the paths does not become a column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from exporter.errors import ExporterError, IntegrityError
from exporter.snapshots.files import SnapshotFiles
from exporter.snapshots.manifest import Column, File, Manifest, columns_of
from exporter.snapshots.sandbox import open_query
from exporter.sql.engine import create_view, first_line
from exporter.sql.ndjson import quoted
from exporter.storage.destination import Destination
from exporter.storage.os_errors import output_errors
from exporter.tables.schemas import TABLES, tables_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Snapshot:
    """A published snapshot, opened for reading; a context manager, for one thread at a time.

    `manifest` says which files belong to it. Parquet files in a bucket are read in place, range by
    range. Copies and conversions go to a temporary folder (`TMPDIR`), which is removed when the
    snapshot is closed. Datasets and views can be used until then.
    """

    def __init__(self, destination: Destination, manifest: Manifest) -> None:
        self.manifest = manifest
        self.url = destination.url
        """The output with the snapshot, as it was named."""
        self._files = SnapshotFiles(destination, manifest)
        self._paths: dict[str, list[Path]] = {}
        self._datasets: dict[str, ds.Dataset] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and remove the temporary folder; a second call does nothing."""
        self._datasets.clear()
        self._paths.clear()
        self._files.close()

    @property
    def folder(self) -> Path | None:
        """The output's folder on this machine; None for a bucket."""
        return self._files.folder

    @property
    def tables(self) -> list[str]:
        """The names of the tables that can be read.

        They include a table of a newer minor format if it has Parquet files. A table that the
        snapshot's format does not have is empty.
        """
        news = [name for name in self.manifest.tables if name not in TABLES]
        known = [name for name in TABLES if name in self.manifest.tables or self._is_later(name)]
        return [*known, *(name for name in news if self._parquet(name))]

    def files(self, table: str) -> list[File]:
        """Return a table's files in all its formats, as the manifest describes them.

        Each has `path` (below the output), `format`, `rows`, `bytes` and `sha256`. Raises
        `ExporterError` if the snapshot has no such table.
        """
        entry = self.manifest.tables.get(table)
        if self._is_later(table):
            return []
        if entry is None:
            raise ExporterError(
                f"Snapshot {self.manifest.snapshot_id} has no table {table}: its tables are "
                f"{', '.join(self.manifest.tables)}."
            )
        return entry.files

    def dataset(self, table: str) -> ds.Dataset:
        """Return a table as a PyArrow dataset; a query reads only the columns that it needs.

        Parquet is read in place; a table that has only NDJSON is converted first. Raises
        `IntegrityError` if a file differs from the manifest, `OutputError` if it cannot be read,
        and `ExporterError` as `files` does. If rows turn out to be broken later, PyArrow raises its
        own errors.
        """
        if table not in self._datasets:
            self._datasets[table] = (
                self._remote_dataset(table) if self.is_remote(table) else self._local(table)
            )
        return self._datasets[table]

    def paths(self, table: str) -> list[Path]:
        """Return a table as Parquet files on this machine, for a reader that needs such files.

        They are the snapshot's own, copies of them, or made from the NDJSON files; do not write to
        them. They have the columns of the snapshot's format, and there are none for a table that it
        does not have. Raises what `dataset` raises.
        """
        if self._is_later(table):
            return []
        if table not in self._paths:
            parquet = self._parquet(table)
            if self.folder is not None:
                self._files.check_sizes(parquet or self.files(table))
            if parquet:
                paths = [self._files.local(file) for file in parquet]
            else:
                paths = self._files.converted(table, self.files(table))
            with self._reading(str(paths[0])):
                self._check_columns(table, pq.read_schema(paths[0]))
            self._paths[table] = paths
        return self._paths[table]

    def checked_paths(self, table: str) -> list[Path]:
        """Return what `paths` does, after a comparison of the files' SHA-256 with the manifest.

        `paths` itself compares that of copies alone. Raises what `paths` raises.
        """
        paths = self.paths(table)
        if self.folder is not None:
            self._files.check_sums(self._parquet(table) or self.files(table))
        return paths

    def schema(self, table: str) -> pa.Schema:
        """Return a table's columns: those of this program's format, then those that are newer.

        The columns' meanings are in the metadata of the fields. Raises what `dataset` raises.
        """
        contract = _contract(table)
        entry = self.manifest.tables.get(table)
        if contract is not None and (
            entry is None or {column.name for column in entry.columns} <= {*contract.names}
        ):
            return contract
        found = self.dataset(table).schema
        if contract is None:
            return found
        newer = [field for field in found if field.name not in contract.names]
        return pa.schema([*contract, *newer], metadata=contract.metadata)

    def checked_parts(self, table: str) -> Iterator[Path]:
        """Yield a table as Parquet files on this machine, one after the other.

        Each has the SHA-256 that the manifest states. Copies, and files that are made from NDJSON,
        are removed when the next file is asked for. They have the columns of the snapshot's format,
        and there are none for a table that it does not have. Raises what `dataset` raises.
        """
        files = self._parquet(table) or self.files(table)
        self._files.check_sizes(files)
        for file in files:
            with self._files.checked(table, file) as path:
                with self._reading(str(path)):
                    self._check_columns(table, pq.read_schema(path))
                yield path

    def read(
        self, table: str, columns: Sequence[str], *, where: ds.Expression | None = None
    ) -> pa.Table:
        """Read some columns of a table, and only the rows that the expression `where` selects.

        From a bucket, whole files are copied, each with one call: this is for small tables. Raises
        what `dataset` raises.
        """
        paths = self.paths(table)
        if not paths:
            return TABLES[table].schema.empty_table().select(columns)
        with self._reading(str(paths[0])):
            schema = _whole_schema(table, pq.read_schema(paths[0]))
            # A `key=value` in the output's path must not become a column.
            return pq.read_table(
                paths, columns=list(columns), filters=where, partitioning=None, schema=schema
            )

    def register(
        self,
        connection: DuckDBPyConnection,
        tables: Collection[str] | None = None,
        *,
        schema: str = "main",
    ) -> None:
        """Make a view of each table, by its name, in a schema of a DuckDB connection.

        A missing schema is created, so two snapshots can each have one. `tables` are all by
        default. Views of a bucket's files belong to this connection alone: its cursors do not see
        them. Raises what `dataset` raises, and DuckDB's errors.
        """
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        for name in self.tables if tables is None else tables:
            view = f"{quoted(schema)}.{quoted(name)}"
            if self.is_remote(name):
                source = f"{schema}: {name} of {self.manifest.snapshot_id}"
                connection.register(source, self.dataset(name))
                connection.execute(f"CREATE OR REPLACE VIEW {view} AS FROM {quoted(source)}")
            else:
                create_view(connection, view, self.paths(name), _contract(name))

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Run one SELECT of DuckDB's SQL on the snapshot's tables, and return its rows.

        The tables are views by their names, each with a column `snapshot_id`; `snapshots` has a row
        with the snapshot's times. `parameters` are the values of `$name` in the SQL. It can neither
        write nor reach another file, a network, a setting or a variable of Python. Sums of integers
        are int64, or decimal128(38, 0) where one is larger than that.

        Raises `QueryError` for SQL that writes, is wrong or fails, and what `dataset` raises.
        """
        with open_query([self], sql, parameters) as rows:
            return rows.read_all()

    def fragments(self, table: str) -> list[ds.Fragment]:
        """Return a table's Parquet files in a bucket, whose rows also have the `snapshot_id`.

        Raises what `dataset` raises.
        """
        files, format_ = self._parquet(table), ds.ParquetFileFormat()
        self._files.check_sizes(files)
        same = ds.field("snapshot_id") == self.manifest.snapshot_id
        fragments = [format_.make_fragment(self._files.opened(one), None, same) for one in files]
        with self._reading(f"{self.url}/{files[0].path}"):
            self._check_columns(table, fragments[0].physical_schema)
        return fragments

    def check(self, tables: Collection[str] | None = None) -> None:
        """Read every file of some tables, by default of all, and compare its bytes and SHA-256.

        Raises `IntegrityError` for the first one that differs from the manifest.
        """
        for name in self.manifest.tables if tables is None else tables:
            self._files.check_sizes(self.files(name))
            self._files.check_sums(self.files(name))

    def _parquet(self, table: str) -> list[File]:
        return [file for file in self.files(table) if file.format == "parquet"]

    def _is_later(self, table: str) -> bool:
        """Say whether a table came with a later minor format than the snapshot's."""
        return table in TABLES and table not in tables_in(self.manifest.format_version)

    def is_remote(self, table: str) -> bool:
        """Say whether a table is read in place in a bucket."""
        return self.folder is None and bool(self._parquet(table))

    def _local(self, table: str) -> ds.Dataset:
        paths = [str(path) for path in self.paths(table)]
        if not paths:
            return ds.dataset(TABLES[table].schema.empty_table())
        with self._reading(paths[0]):
            schema = _whole_schema(table, pq.read_schema(paths[0]))
            return ds.dataset(paths, format="parquet", schema=schema)

    def _remote_dataset(self, table: str) -> ds.Dataset:
        fragments = self.fragments(table)
        schema = _whole_schema(table, fragments[0].physical_schema)
        return ds.FileSystemDataset(fragments, schema, ds.ParquetFileFormat())

    def _check_columns(self, table: str, found: pa.Schema) -> None:
        if _types(columns_of(found)) != _types(self.manifest.tables[table].columns):
            raise IntegrityError(
                f"The table {table} of snapshot {self.manifest.snapshot_id} in {self.url} has "
                f"other columns than the manifest says: {self._files.advice()}."
            )

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        with output_errors(f"read {what}"):
            try:
                yield
            except pa.ArrowException as error:
                raise IntegrityError(
                    f"{what} is not readable Parquet ({first_line(error)}): {self._files.advice()}."
                ) from error


def _contract(table: str) -> pa.Schema | None:
    """Return a table's columns in this program's format; None for a table that it does not know."""
    return TABLES[table].schema if table in TABLES else None


def _whole_schema(table: str, found: pa.Schema) -> pa.Schema:
    """Return a file's schema with the columns that its older format does not have."""
    for field in _contract(table) or ():
        if field.name not in found.names:
            found = found.append(field)
    return found


def _types(columns: Collection[Column]) -> list[tuple[str, str]]:
    """Return names and types only: files made from NDJSON have no descriptions."""
    return [(column.name, column.type) for column in columns]
