"""Rows as Parquet files of bounded size, written batch by batch.

Tables that are files (Iceberg, Delta) get them. A row group is all that is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 131_072
GROUP_BYTES = 32 * 1024 * 1024
"""The size of a row group, as Arrow has it in memory."""
PART_BYTES = 128 * 1024 * 1024
"""The size of a file: a new one begins once it is reached."""


@dataclass(frozen=True)
class Part:
    """A Parquet file: where it is, its rows by its own footer, its size in bytes, its footer."""

    path: str
    rows: int
    bytes: int
    footer: pq.FileMetaData


@dataclass(frozen=True)
class OpenPart:
    """A file that is being written, and the path that a table knows it by."""

    path: str
    file: BinaryIO


def write_parts(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    open_part: Callable[[int], AbstractContextManager[OpenPart]],
    remove: Callable[[str], None],
) -> list[Part]:
    """Write the columns of `schema` of each batch, and return the files; no rows make no file.

    `open_part` is given the file's number, from 0. Raises what it and the batches raise, after
    `remove` was given the path of each file that was begun.
    """
    begun: list[str] = []

    @contextmanager
    def opened(number: int) -> Iterator[OpenPart]:
        with open_part(number) as part:
            begun.append(part.path)
            yield part

    try:
        return _write(batches, schema, opened)
    except BaseException:
        for path in begun:
            with suppress(Exception):
                remove(path)
        raise


def _write(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    open_part: Callable[[int], AbstractContextManager[OpenPart]],
) -> list[Part]:
    parts: list[Part] = []
    groups = _row_groups(batches, schema)
    group = next(groups, None)
    while group is not None:
        with open_part(len(parts)) as part:
            with pq.ParquetWriter(part.file, schema, compression="zstd") as writer:
                while group is not None and part.file.tell() < PART_BYTES:
                    writer.write_table(group, row_group_size=GROUP_ROWS)
                    group = next(groups, None)
            size, footer = part.file.tell(), writer.writer.metadata
        parts.append(Part(part.path, footer.num_rows, size, footer))
    return parts


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if batch.num_rows:
            group.append(_fitted(batch, schema))
            rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(group, schema)
            group, rows, size = [], 0, 0
    if group:
        yield pa.Table.from_batches(group, schema)


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of a schema; lists and maps get its names of their inner fields."""
    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
