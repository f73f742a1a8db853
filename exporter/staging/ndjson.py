"""NDJSON parts: a table's Parquet parts written again, as gzip files with a JSON object a line.

Rows become text in Arrow, a column at a time. Text is only copied, and one join turns a batch into
lines. A column is escaped value by value only if it contains a character to escape. ISA-L's gzip
compresses the lines at its level 1. CPU time for a million rows of `layers`, 289 MB of
lines, from Parquet to gzip: 1.6 to 2.3 s, and 62 MB; orjson over `to_pylist` took 6.9 s with
zlib's level 1 (71 MB) and 5.1 s with ISA-L; DuckDB's `COPY … (FORMAT json, COMPRESSION gzip)`
22 s, and 1.6 s for the lines alone, which are the same byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from isal import isal_zlib

from exporter.errors import OutputError
from exporter.staging.layout import StagedFile, staged_path
from exporter.staging.parquet import output_errors
from exporter.storage.durable import fsync, make_folder, replace, sync
from exporter.tables.columns import Table
from exporter.threads import Stop
from exporter.wording import switch

FILE_BYTES = 448 * 1024 * 1024
"""File size at which a part is closed and the next begun; the contract's limit is 512 MB."""
_BATCH_ROWS = 8192
_BATCH_BYTES = 4 * 1024 * 1024
_GZIP = 31  # zlib's window bits for a gzip header and trailer around the largest window.
_ESCAPED_BELOW = 0x20


def write_ndjson(
    parquet_parts: Sequence[Path],
    table: Table,
    staging: Path,
    *,
    file_bytes: int = FILE_BYTES,
    stop: Stop | None = None,
) -> list[StagedFile]:
    """Write the rows of Parquet parts of `table` as NDJSON parts below `staging`, in order.

    There is at least one part, without rows if the table has none. Parts appear whole and durably,
    by a rename. Earlier NDJSON parts of the table are removed first. Memory is bounded by a batch
    and a row group, not by the files. Raises `OutputError`, and `StoppedError` after `stop`.

    Integers are numbers, exact beyond 2^53. Times are RFC 3339 with `Z` and six fractional digits
    or none. Maps are objects. Every row has every column, null if it has no value.
    """
    stop = stop or Stop()
    folder = staged_path(staging, table.name, 0, "ndjson").parent
    with output_errors(staging):
        make_folder(folder)
        for old in folder.iterdir():
            old.unlink()
        finished: list[StagedFile] = []
        batches = _batches(parquet_parts, table)
        batch = next(batches, None)
        while batch is not None or not finished:
            with _Part(staging, table, len(finished)) as part:
                while batch is not None and part.bytes < file_bytes:
                    stop.check()
                    part.append(batch)
                    batch = next(batches, None)
                finished.append(part.close())
    return finished


def json_lines(batch: pa.RecordBatch) -> memoryview:
    """Return a batch as UTF-8 JSON lines, each with its newline."""
    pieces: list[pa.Array | str] = []
    text = "{"
    for field, column in zip(batch.schema, batch.columns, strict=True):
        text += f"{orjson.dumps(field.name).decode()}:"
        if pa.types.is_string(field.type) and not column.null_count and not _needs_escapes(column):
            # The common case: the column is copied once, with quotes around each value.
            pieces += [f'{text}"', column]
            text = '",'
        elif column.null_count == len(column):
            text += "null,"
        else:
            pieces += [text, pc.fill_null(json_texts(column), "null")]
            text = ","
    text = f"{text.removesuffix(',')}}}\n"
    if not pieces:
        return memoryview(text.encode() * len(batch))
    pieces.append(text)
    lines = pc.binary_join_element_wise(*pieces, "")
    return _bytes_of(lines)


def _batches(parts: Sequence[Path], table: Table) -> Iterator[pa.RecordBatch]:
    names = table.schema.names
    for path in parts:
        try:
            # No read-ahead and no threads: both would keep whole row groups in memory.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                    yield from _bounded(batch)
        except (OSError, pa.ArrowException) as error:
            raise OutputError(
                f"The staged part {path} cannot be read ({error}): start the snapshot over with "
                f"{switch('fresh')}."
            ) from error


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch of long rows, so that its lines stay far below Arrow's 2 GB for a text."""
    if batch.num_rows > 1 and batch.nbytes > _BATCH_BYTES:
        half = batch.num_rows // 2
        yield from _bounded(batch.slice(0, half))
        yield from _bounded(batch.slice(half))
    elif batch.num_rows:
        yield batch


def json_texts(column: pa.Array) -> pa.Array:
    """Return each value's JSON text; null stays null. The types are those of snapshots' columns."""
    kind = column.type
    if pa.types.is_string(kind):
        return _quoted(column)
    if pa.types.is_timestamp(kind):
        # Cast without the zone first: with it, every value asks the zone database for UTC.
        text = column.cast(pa.timestamp("us")).cast(pa.string())
        text = pc.binary_join_element_wise(
            '"', pc.binary_replace_slice(text, 10, 11, "T"), 'Z"', ""
        )
        return pc.replace_substring(text, ".000000Z", "Z")
    if pa.types.is_list(kind):
        return _joined(column, "[]")
    if pa.types.is_map(kind):
        return _joined(column, "{}")
    return column.cast(pa.string())


def _quoted(column: pa.StringArray) -> pa.StringArray:
    if _needs_escapes(column):
        return pa.array(
            [
                None if value is None else orjson.dumps(value).decode()
                for value in column.to_pylist()
            ],
            pa.string(),
        )
    return pc.binary_join_element_wise('"', column, '"', "")


def _needs_escapes(column: pa.StringArray) -> bool:
    text = _bytes_of(column)
    if not text:
        return False
    codes = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    if pc.min(codes).as_py() < _ESCAPED_BELOW:
        return True
    whole = bytes(text)
    return b'"' in whole or b"\\" in whole


def _joined(column: pa.Array, brackets: str) -> pa.Array:
    """Return each list as an array, or each map as an object, null where it is null."""
    first = column.offsets[0].as_py()
    # Only this batch's values: the array may have those of a whole row group.
    count = column.offsets[-1].as_py() - first
    if pa.types.is_map(column.type):
        keys, items = column.keys.slice(first, count), column.items.slice(first, count)
        members = pc.binary_join_element_wise(
            _quoted(keys), pc.fill_null(json_texts(items), "null"), ":"
        )
    else:
        members = pc.fill_null(json_texts(column.values.slice(first, count)), "null")
    lists = pa.ListArray.from_arrays(pc.subtract(column.offsets, first), members)
    text = pc.binary_join_element_wise(brackets[0], pc.binary_join(lists, ","), brackets[1], "")
    # The bytes under a null are undefined.
    return pc.if_else(column.is_valid(), text, None)


def _bytes_of(text: pa.StringArray) -> memoryview:
    """Return the values' UTF-8 one after the other, without copying them."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[text.offset] : ends[text.offset + len(text)]]


class _Part:
    """One NDJSON part; it gets its name when it is closed, and is removed if it never is."""

    def __init__(self, staging: Path, table: Table, number: int) -> None:
        self.bytes = 0
        self._rows = 0
        self._table = table
        self._path = staged_path(staging, table.name, number, "ndjson")
        self._open_path = self._path.with_name(f".{self._path.name}.open")
        self._file = self._open_path.open("wb")
        self._gzip = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)

    def __enter__(self) -> Self:
        """Return the part itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and remove it if it is not finished."""
        with suppress(OSError):
            # A full disk may refuse the last bytes again; the file is removed anyway.
            self._file.close()
        self._open_path.unlink(missing_ok=True)

    def append(self, batch: pa.RecordBatch) -> None:
        self.bytes += self._file.write(self._gzip.compress(json_lines(batch)))
        self._rows += batch.num_rows

    def close(self) -> StagedFile:
        self._file.write(self._gzip.flush())
        self._file.flush()
        sync(self._file.fileno())
        replace(self._open_path, self._path)
        fsync(self._path.parent)
        return StagedFile(self._table.name, "ndjson", self._path, self._rows)
