"""That the oracle's readers and its comparison notice what is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.oracle.compare import differences
from tests.oracle.readers import read_ndjson, read_ndjson_row, read_parquet
from tests.oracle.values import Row

CLOUD: Row = {
    "cloud_id": "c",
    "name": "перевозки \u2028 🚚",
    "description": None,
    "organization_id": "o",
    "labels": {"": "empty", "env": ""},
    "created_at": "0001-01-01T00:00:00.000000Z",
}


def cloud_schema(**types: pa.DataType) -> pa.Schema:
    fields = {
        "cloud_id": pa.string(),
        "name": pa.string(),
        "description": pa.string(),
        "organization_id": pa.string(),
        "labels": pa.map_(pa.string(), pa.string()),
        "created_at": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema(list((fields | types).items()))


def write_clouds(path: Path, schema: pa.Schema) -> Path:
    row = CLOUD | {"labels": list(CLOUD["labels"].items()), "created_at": None}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), path)
    return path


def test_a_difference_names_the_row_the_column_and_both_values() -> None:
    text = differences([{"id": 1, "name": "a"}], [{"id": 1, "name": "b"}], ("id",))
    assert "differs: (1,): name: expected a, found b" in text


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ([1, 2], [1], "missing: (2,)"),
        ([1], [1, 2], "not expected: (2,)"),
        ([1], [1, 1], "found twice: (1,)"),
        ([None], ["None"], "missing: (None,)"),
    ],
)
def test_a_difference_names_rows_missing_and_extra(
    expected: list[Any], actual: list[Any], said: str
) -> None:
    assert said in differences([{"id": e} for e in expected], [{"id": a} for a in actual], ("id",))


def test_the_order_of_rows_is_no_difference() -> None:
    rows = [{"id": 1}, {"id": 2}]
    assert differences(rows, rows[::-1], ("id",)) == ""


def test_parquet_comes_back_as_the_row_that_was_written(tmp_path: Path) -> None:
    path = write_clouds(tmp_path / "part.parquet", cloud_schema())
    assert read_parquet(path, "clouds") == [CLOUD | {"created_at": None}]


@pytest.mark.parametrize(
    "wrong",
    [
        cloud_schema(created_at=pa.timestamp("ns", tz="UTC")),
        cloud_schema(created_at=pa.timestamp("us")),
        cloud_schema(name=pa.large_string()),
        cloud_schema(extra=pa.int64()),
        pa.schema(list(cloud_schema())[::-1]),
        pa.schema(list(cloud_schema())[:-1]),
    ],
)
def test_a_parquet_schema_that_is_not_the_contracts_is_refused(
    tmp_path: Path, wrong: pa.Schema
) -> None:
    path = write_clouds(tmp_path / "part.parquet", wrong)
    with pytest.raises(AssertionError):
        read_parquet(path, "clouds")


def test_ndjson_comes_back_as_the_row_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "part.ndjson.gz"
    lines = [json.dumps(CLOUD, ensure_ascii=False), json.dumps(CLOUD | {"cloud_id": "d"})]
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    assert read_ndjson(path, "clouds") == [CLOUD, CLOUD | {"cloud_id": "d"}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"created_at": "2024-01-01T00:00:00"},
        {"created_at": "2024-01-01T00:00:00+00:00"},
        {"created_at": 5},
        {"labels": [["a", "b"]]},
        {"labels": {"a": 1}},
        {"name": 5},
        {"extra": 1},
    ],
)
def test_an_ndjson_value_of_another_type_is_refused(wrong: Row) -> None:
    with pytest.raises(AssertionError):
        read_ndjson_row(json.dumps(CLOUD | wrong), "clouds")


@pytest.mark.parametrize("size", [1.0, "1", True, 1 << 63])
def test_an_ndjson_integer_is_a_json_integer(size: Any) -> None:
    row = dict.fromkeys(("registry_id", "digest", "kind"), "x") | {"size": size}
    counts = {"image_count": 1, "reference_count": 1, "repository_count": 1}
    assert read_ndjson_row(json.dumps(row | counts | {"size": 1 << 62}), "blobs")
    with pytest.raises(AssertionError):
        read_ndjson_row(json.dumps(row | counts), "blobs")


def test_a_missing_ndjson_column_is_refused() -> None:
    with pytest.raises(AssertionError):
        read_ndjson_row(json.dumps({**CLOUD, "name": None}).replace('"name": null, ', ""), "clouds")
