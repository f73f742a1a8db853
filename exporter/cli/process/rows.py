"""Rows for a program, as CSV, JSON, NDJSON or Parquet, on stdout or in a file.

Rows are written a batch at a time. A file appears whole, by a rename, or not at all. In CSV, lists
and maps are JSON texts. JSON has numbers for integers, RFC 3339 with `Z` for times, and objects for
maps, as the snapshots' NDJSON has.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from exporter.cli.process.json_text import json_text, print_json
from exporter.cli.process.reports import report_file
from exporter.cli.process.row_format import RowFormat
from exporter.errors import AnswerFileError
from exporter.snapshots.manifest import rfc3339
from exporter.staging.ndjson import json_lines, json_texts
from exporter.tables.columns import TIME

_STDOUT = "-"
_PLAIN = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean)
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
"""The integers that orjson can write."""


def write_rows(rows: pa.RecordBatchReader, format_: RowFormat, to: Path | None) -> None:
    """Write rows in a format to a file, or to stdout; raises `AnswerFileError`."""
    with _open(to) as file:
        match format_:
            case RowFormat.CSV:
                _write_csv(rows, file)
            case RowFormat.JSON:
                _write_json(rows, file)
            case RowFormat.NDJSON:
                for batch in rows:
                    file.write(_lines(batch))
            case RowFormat.PARQUET:
                with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
                    for batch in rows:
                        writer.write_batch(batch)


def write_lines(rows: pa.RecordBatchReader, to: Path | None) -> None:
    """Write the texts of the first column, one a line, to a file, or to stdout.

    Raises `AnswerFileError`, also for a text that is no single line.
    """
    with _open(to) as file:
        for batch in rows:
            texts = batch.column(0).to_pylist()
            odd = next((text for text in texts if len(text.splitlines()) != 1), None)
            if odd is not None:
                raise AnswerFileError(
                    f"{odd!r} is no line of its own: use --format instead of --ids."
                )
            file.write("".join(f"{text}\n" for text in texts).encode())


def write_summary(content: dict[str, Any], to: str) -> None:
    """Write totals as JSON to a file, or to stdout for `-`; raises `AnswerFileError`."""
    if to == _STDOUT:
        print_json(content)
        return
    with _file(Path(to)) as file:
        file.write(json_text(content).encode())


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        with report_file(path) as file:
            yield file
    except OSError as error:
        raise AnswerFileError(f"Cannot write {path}: {error.strerror or error}.") from error


@contextmanager
def _open(to: Path | None) -> Iterator[BinaryIO]:
    if to is not None and str(to) != _STDOUT:
        with _file(to) as file:
            yield file
        return
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _write_csv(rows: pa.RecordBatchReader, file: BinaryIO) -> None:
    schema = pa.schema([(field.name, _csv_type(field.type)) for field in rows.schema])
    with pa_csv.CSVWriter(file, schema) as writer:
        for batch in rows:
            columns = [_csv_column(column) for column in batch.columns]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _csv_type(type_: pa.DataType) -> pa.DataType:
    is_figure = pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    plain = is_figure or any(is_kind(type_) for is_kind in _PLAIN)
    return type_ if plain else pa.string()


def _csv_column(column: pa.Array) -> pa.Array:
    if _csv_type(column.type) == column.type:
        return column
    if _is_in_lines(column.type):
        texts = json_texts(column)
        return pc.utf8_slice_codeunits(texts, 1, -1) if column.type == TIME else texts
    values = (None if value is None else _text(value) for value in _values(column))
    return pa.array(values, pa.string())


def _write_json(rows: pa.RecordBatchReader, file: BinaryIO) -> None:
    before = b"[\n"
    for batch in rows:
        # A newline inside a value is escaped, so each line is one row.
        for line in bytes(_lines(batch)).splitlines():
            file.write(before + line)
            before = b",\n"
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _lines(batch: pa.RecordBatch) -> bytes | memoryview:
    """Return a batch as JSON lines; what the snapshots' own writer cannot write goes by row."""
    if batch.num_rows and all(_is_in_lines(type_) for type_ in batch.schema.types):
        return json_lines(batch)
    names = batch.schema.names
    columns = [_values(column) for column in batch.columns]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return b"".join(
        orjson.dumps(row, default=_text, option=orjson.OPT_APPEND_NEWLINE) for row in rows
    )


def _is_in_lines(type_: pa.DataType) -> bool:
    if type_ == TIME:
        return True
    if pa.types.is_list(type_):
        return _is_in_lines(type_.value_type)
    if pa.types.is_map(type_):
        return pa.types.is_string(type_.key_type) and _is_in_lines(type_.item_type)
    return any(is_kind(type_) for is_kind in _PLAIN)


def _values(column: pa.Array) -> list[Any]:
    """Return the values as JSON has them: times as texts, maps as objects."""
    return [_json_value(value) for value in column.to_pylist(maps_as_pydicts="lossy")]


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            value = rfc3339(value if value.tzinfo else value.replace(tzinfo=UTC))
        case list():
            value = [_json_value(one) for one in value]
        case dict():
            value = {str(key): _json_value(one) for key, one in value.items()}
        case Decimal():
            # DuckDB's sums of integers come as decimals.
            is_whole = value == value.to_integral_value()
            value = _json_value(int(value)) if is_whole else float(value)
        case float() if not math.isfinite(value):
            value = None
        case int() if not _INT64_MIN <= value <= _UINT64_MAX:
            value = str(value)
    return value


def _text(value: Any) -> str:
    """Return a value that is no JSON of its own (a date, bytes, a large integer) as a text."""
    match value:
        case str():
            return value
        case list() | dict():
            return orjson.dumps(value, default=_text).decode()
        case bytes():
            return value.hex()
    return str(value)
