"""Published files back to rows, each value checked against the contract's type on the way."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle.schema import COLUMNS
from tests.oracle.values import Row, Rows, cut_time

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_BOUNDS = {"int32": 1 << 31, "int64": 1 << 63}


def read_parquet(path: Path, table: str) -> Rows:
    """Return a Parquet file's rows; raises `AssertionError` where its schema is not the table's."""
    content = pq.ParquetFile(path).read()
    found = {field.name: _contract_type(field.type) for field in content.schema}
    columns = COLUMNS[table]
    assert len(found) == len(content.schema), f"{path}: a column stands twice"
    assert list(found.items()) == list(columns.items()), f"{path}: {found}"
    return [
        {name: _plain(value, columns[name]) for name, value in row.items()}
        for row in content.to_pylist()
    ]


def read_ndjson(path: Path, table: str) -> Rows:
    """Return a gzip NDJSON file's rows; raises `AssertionError` for a value of another type."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    assert not text or text.endswith("\n"), f"{path}: the last line has no end"
    # Not splitlines: U+2028 and others are legal inside a JSON text.
    return [read_ndjson_row(line, table) for line in text.split("\n")[:-1]]


def read_ndjson_row(line: str, table: str) -> Row:
    """Return one NDJSON line as a row."""
    columns = COLUMNS[table]
    row = json.loads(line, parse_constant=_no_constant, object_pairs_hook=_no_doubles)
    assert list(row) == list(columns), f"{table}: columns {list(row)}"
    return {name: _json_value(value, columns[name], name) for name, value in row.items()}


def _contract_type(type_: pa.DataType) -> str:
    if pa.types.is_list(type_) and pa.types.is_string(type_.value_type):
        return "texts"
    if pa.types.is_map(type_) and {type_.key_type, type_.item_type} == {pa.string()}:
        return "labels"
    names = {
        pa.string(): "text",
        pa.int32(): "int32",
        pa.int64(): "int64",
        pa.bool_(): "bool",
        pa.timestamp("us", tz="UTC"): "time",
    }
    return names.get(type_, str(type_))


def _plain(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ == "time":
        return _time(value)
    if type_ == "labels":
        return _no_doubles(value)
    return value


def _time(value: datetime) -> str:
    assert value.utcoffset() == timedelta(0)
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a key stands twice: {names}"
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def _json_value(value: Any, type_: str, name: str) -> Any:
    if value is None:
        return None
    if type_ == "time":
        assert isinstance(value, str), f"{name}: {value!r}"
        assert _RFC_3339.fullmatch(value), f"{name}: {value!r}"
        return cut_time(value)
    assert _is_json(value, type_), f"{name} is not {type_}: {value!r}"
    return value


def _is_json(value: Any, type_: str) -> bool:
    if type_ in _BOUNDS:
        # A bool is an int to Python, and a float such as 1e3 is no whole number to a loader.
        return type(value) is int and -_BOUNDS[type_] <= value < _BOUNDS[type_]
    if type_ == "texts":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if type_ == "labels":
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return isinstance(value, bool if type_ == "bool" else str)
