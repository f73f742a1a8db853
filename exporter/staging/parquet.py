"""Parquet parts: how a table's rows are written to files, and the files that are open.

Batches are collected until they fill a row group, so that small pages do not make small row
groups. A part exists once it is closed: its footer is written last.
"""

from __future__ import annotations

import base64
import errno
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.errors import OutputError
from exporter.staging.layout import StagedFile, staged_path
from exporter.storage.durable import fsync, make_folder
from exporter.storage.os_errors import known
from exporter.tables.columns import Table
from exporter.tables.staged import STAGED

ROW_GROUP_BYTES = 16 * 1024 * 1024
"""Arrow bytes of a table that are collected until they are written as a row group."""
BATCH_ROWS = 16 * 1024
"""Values encoded at a time. PyArrow's default, a thousand, is a few percent slower. Many more would
make Parquet pages of long texts much larger than the intended megabyte."""
FEW_ROWS = 256
MANY_PIECES = 64
"""So many pieces of few rows are joined to one: with their buffers and objects, sixteen rows of
`images` take thirty times the bytes that are counted for them."""
PART_BYTES = 256 * 1024 * 1024
"""File size at which a part is closed and the next begun; the contract's limit is 512 MB."""

FULL = (
    "the disk is full; free some space and run again to resume, or name a folder on another disk "
    "in output.staging"
)
"""The advice for a full staging folder."""

# Texts that repeat within a page arrive dictionary-encoded and stay so: PyArrow then copies indices
# instead of hashing every text, which halves the cost of these columns.
_REPEATING: Mapping[str, tuple[str, ...]] = {
    "images": ("cloud_id", "folder_id", "registry_id", "repository_name"),
    "layers": ("image_id", "registry_id", "repository_name"),
    "config_blobs": ("registry_id", "repository_name"),
    "image_references": ("image_id", "registry_id", "repository_name"),
}
_PLATFORM = ("os", "os_version", "architecture", "variant")
# Base layers are shared, so their digests repeat; other ids and digests do not, and trying a
# dictionary for them costs time and saves nothing. Tables that are not named here are small.
_SHARED: Mapping[str, tuple[str, ...]] = {
    "images": (
        "kind",
        "media_type",
        "artifact_type",
        *_PLATFORM,
        "annotations.key_value.key",
        "labels.key_value.key",
        "created_source",
    ),
    "layers": ("digest", "media_type"),
    "config_blobs": ("media_type",),
    "image_references": ("media_type", *_PLATFORM, "relation", "annotations.key_value.key"),
    "tags": ("registry_id", "repository_name"),
    # Most counts are small. A dictionary holds them in a fifth of the bytes, in half the time.
    "blobs": ("registry_id", "kind", "image_count", "reference_count", "repository_count"),
}
# These are as good as random: their least and greatest values, which take a few percent of the time
# to find, let no reader skip anything. (Lists and maps have no statistics either.)
_WITHOUT_STATISTICS = (
    "image_id",
    "blob_id",
    "digest",
    "config_digest",
    "subject_digest",
    "child_digest",
    "child_image_id",
)


def written_schema(table: Table) -> pa.Schema:
    """Return the schema a table's rows have in memory when they are written."""
    repeating = _REPEATING.get(table.name, ())
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [field.with_type(text) if field.name in repeating else field for field in table.schema]
    )


def open_parquet(path: Path, table: Table) -> pq.ParquetWriter:
    """Open a Parquet file for rows of `written_schema(table)`; a reader sees `table.schema`."""
    repeating = [*_REPEATING.get(table.name, ()), *_SHARED.get(table.name, ())]
    return pq.ParquetWriter(
        path,
        written_schema(table),
        compression="zstd",
        compression_level=1,
        use_dictionary=repeating or True,
        write_batch_size=BATCH_ROWS,
        write_statistics=[name for name in table.schema.names if name not in _WITHOUT_STATISTICS],
        # Arrow readers take the types and the columns' descriptions from this schema. Without it,
        # PyArrow would store dictionary types, which exist only in memory.
        store_schema=False,
    )


def close_parquet(writer: pq.ParquetWriter, table: Table) -> None:
    """Write the footer, with the table's schema and the columns' descriptions in it."""
    schema = base64.b64encode(table.schema.serialize().to_pybytes())
    writer.add_key_value_metadata({"ARROW:schema": schema.decode(), **_texts(table.schema)})
    writer.close()


def _texts(schema: pa.Schema) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}


class PartWriter:
    """One open Parquet part of one table; `rows` counts what was appended to it."""

    def __init__(self, staging: Path, table: Table, number: int) -> None:
        self.table = table
        self.path = staged_path(staging, table.name, number, "parquet")
        self.rows = 0
        self._schema = written_schema(table)
        self._schemas: dict[int, pa.Schema] = {}
        self._pending: list[pa.Table] = []
        self._pieces: list[pa.Table] = []  # After those; with the same columns.
        self._pending_bytes = 0
        self._written_bytes = 0
        make_folder(self.path.parent)
        self._writer = open_parquet(self.path, table)

    def append(self, rows: pa.Table) -> None:
        """Add rows with the table's first columns; those that are missing become null.

        Plain and dictionary-encoded texts may mix.
        """
        if rows.num_rows == 0:
            return
        # Nulls would take memory until the row group is written.
        columns = self._first_columns(rows.num_columns)
        # PyArrow casts column by column in Python, also where there is nothing to do.
        batch = rows if rows.schema.equals(columns) else rows.cast(columns)
        if self._pieces and self._pieces[0].schema != batch.schema:
            self._join_pieces()
        self._pieces.append(batch)
        self._pending_bytes += batch.nbytes
        if batch.num_rows >= FEW_ROWS or len(self._pieces) >= MANY_PIECES:
            self._join_pieces()
        self.rows += batch.num_rows
        if self._pending_bytes >= ROW_GROUP_BYTES:
            self._write_row_group()

    def _first_columns(self, count: int) -> pa.Schema:
        if count not in self._schemas:
            self._schemas[count] = pa.schema(list(self._schema)[:count])
        return self._schemas[count]

    def _join_pieces(self) -> None:
        if len(self._pieces) > 1:
            self._pieces = [pa.concat_tables(self._pieces).combine_chunks()]
        self._pending += self._pieces
        self._pieces = []

    def _write_row_group(self) -> None:
        self._join_pieces()
        if self._pending:
            group = pa.concat_tables(self._pending, promote_options="default")
            group = _with_nulls(group, self._schema).unify_dictionaries()
            self._writer.write_table(group, row_group_size=max(1, group.num_rows))
            self._written_bytes = self.path.stat().st_size
            self._pending = []
            self._pending_bytes = 0

    def size(self) -> int:
        """Return the bytes of the row groups that are in the file so far."""
        return self._written_bytes

    def close(self) -> StagedFile:
        """Write what is pending and the footer, make it durable, and name the finished part."""
        self._write_row_group()
        close_parquet(self._writer, self.table)
        fsync(self.path)
        fsync(self.path.parent)
        return StagedFile(self.table.name, "parquet", self.path, self.rows)

    def abandon(self) -> None:
        """Close the file, which will not be used."""
        try:
            self._writer.close()
        except (OSError, pa.ArrowException):
            return


def _with_nulls(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns that they lack, all null."""
    for field in list(schema)[rows.num_columns :]:
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


class Parts:
    """The open parts of a snapshot, at most one per table, opened when its first rows come.

    `first_numbers` has each table's first free part number. Use it as a context manager: it
    abandons parts that are still open at its end.
    """

    def __init__(self, staging: Path, first_numbers: Mapping[str, int]) -> None:
        self._staging = staging
        self._next = dict(first_numbers)
        self._open: dict[str, PartWriter] = {}

    def __enter__(self) -> Self:
        """Return the parts themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abandon what is still open."""
        self.abandon()

    def abandon(self) -> None:
        """Close the open files, which will not be used."""
        for part in self._open.values():
            part.abandon()
        self._open = {}

    def append(self, tables: Mapping[str, pa.Table]) -> None:
        """Add rows to each named table; raises `OutputError`."""
        with output_errors(self._staging):
            for name, rows in tables.items():
                if rows.num_rows:
                    self._part(name).append(rows)

    @property
    def are_large(self) -> bool:
        """Whether an open file has reached the size at which all of them are closed."""
        return any(part.size() >= PART_BYTES for part in self._open.values())

    def close(self) -> list[StagedFile]:
        """Finish every open part; the next rows go to new ones. Raises `OutputError`."""
        if not self._open:
            return []
        parts = [self._open[name] for name in sorted(self._open)]
        # Each part has at most one row group to write, and PyArrow writes it in a single thread.
        with output_errors(self._staging), ThreadPoolExecutor(len(parts)) as threads:
            finished = list(threads.map(PartWriter.close, parts))
        self._open = {}
        return finished

    def _part(self, name: str) -> PartWriter:
        if name not in self._open:
            number = self._next.get(name, 0)
            self._open[name] = PartWriter(self._staging, STAGED[name], number)
            self._next[name] = number + 1
        return self._open[name]


@contextmanager
def output_errors(place: Path) -> Iterator[None]:
    """Turn an error of writing below `place` into an `OutputError` with a sentence."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"Cannot write below {place}: {_advice(error)}.") from error


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    text = " ".join(str(error.strerror or error).split()).rstrip(".")
    unknown = f"{text}; check that the folder may be written, or name another in output.staging"
    return known(error, "output.staging") or unknown


def write_table(staging: Path, table: Table, batches: Iterable[pa.Table]) -> StagedFile:
    """Write a whole small table as its part 0; raises `OutputError`."""
    with output_errors(staging):
        part = PartWriter(staging, table, 0)
        for batch in batches:
            part.append(batch)
        return part.close()
