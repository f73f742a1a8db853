"""NDJSON: every value comes back, and files are whole, bounded and durable."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import OutputError
from exporter.staging.ndjson import json_lines, write_ndjson
from exporter.tables.columns import Table
from exporter.tables.schemas import TABLES
from tests.snapshot.world import UNMEASURED, image_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "\x00", '"', "\\", "\x7f", "\u2028", "\ufffe", "\U0010ffff", "e\u0301", "null", "\ud7ff"]
)
TIME = st.datetimes(timezones=st.just(UTC))


def _values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_string(kind):
        return TEXT
    if pa.types.is_timestamp(kind):
        return TIME
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_map(kind):
        return st.dictionaries(TEXT, TEXT | st.none(), max_size=3).map(
            lambda map_: list(map_.items())
        )
    if pa.types.is_list(kind):
        return st.lists(TEXT | st.none(), max_size=3)
    return st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)


def _rows(table: Table) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {field.name: _values(field.type) | st.none() for field in table.schema}
    return st.lists(st.fixed_dictionaries(columns), max_size=6)


def _expected(row: dict[str, Any], table: Table) -> dict[str, Any]:
    """Return the row as plain JSON has it, calculated without Arrow."""
    expected = {}
    for field in table.schema:
        value = row[field.name]
        if isinstance(value, datetime):
            fraction = f".{value.microsecond:06d}" if value.microsecond else ""
            value = (
                f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
                f"T{value.hour:02d}:{value.minute:02d}:{value.second:02d}{fraction}Z"
            )
        elif pa.types.is_map(field.type) and value is not None:
            value = dict(value)
        expected[field.name] = value
    return expected


def _parse(lines: bytes) -> list[dict[str, Any]]:
    assert not lines or lines.endswith(b"\n")
    return [json.loads(line) for line in lines.split(b"\n")[:-1]]


@pytest.mark.parametrize("name", ["clouds", "images", "size_totals"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_rows_come_back_from_their_lines(name: str, data: st.DataObject) -> None:
    table = TABLES[name]
    rows = data.draw(_rows(table))
    batch = pa.RecordBatch.from_pylist(rows, schema=table.schema)
    expected = [_expected(row, table) for row in rows]
    assert _parse(bytes(json_lines(batch))) == expected
    # A slice shares its buffers with rows that are not its own.
    assert _parse(bytes(json_lines(batch.slice(1, 2)))) == expected[1:3]


def test_each_line_has_every_column_in_order_and_utf8_as_it_is() -> None:
    batch = pa.RecordBatch.from_pylist([{"name": "é"}], schema=TABLES["clouds"].schema)
    assert bytes(json_lines(batch)).decode() == (
        '{"cloud_id":null,"name":"é","description":null,"organization_id":null,"labels":null,'
        '"created_at":null}\n'
    )


def test_what_lies_under_a_null_list_is_not_shown() -> None:
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    hidden = pa.ListArray.from_buffers(
        pa.list_(pa.string()),
        2,
        [pa.py_buffer(b"\x02"), offsets],
        children=[pa.array(["no", "yes"])],
    )
    batch = pa.RecordBatch.from_arrays([hidden], names=["urls"])
    assert bytes(json_lines(batch)) == b'{"urls":null}\n{"urls":["yes"]}\n'


def _write_parquet(path: Path, table: Table, rows: list[dict[str, Any]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path, **options)
    return path


def test_several_parquet_parts_become_one_file_that_gzip_and_duckdb_read(tmp_path: Path) -> None:
    table, rows = TABLES["layers"], image_rows(40, "a")["layers"]
    parts = [
        _write_parquet(tmp_path / "a.parquet", table, rows[:30], row_group_size=7),
        _write_parquet(tmp_path / "b.parquet", table, rows[30:]),
    ]
    (staged,) = write_ndjson(parts, table, tmp_path / "staging")
    assert staged.path == tmp_path / "staging/ndjson/layers/part-00000.ndjson.gz"
    assert (staged.table, staged.format, staged.rows) == ("layers", "ndjson", 80)
    read = _parse(gzip.decompress(staged.path.read_bytes()))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]
    found = duckdb.connect().execute(f"SELECT sum(size) FROM '{staged.path}'").fetchone()
    assert found == (sum(row["size"] for row in rows),)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    table = TABLES["layers"]
    part = _write_parquet(tmp_path / "a.parquet", table, image_rows(40, "a")["layers"])
    (first,) = write_ndjson([part], table, tmp_path / "one")
    (second,) = write_ndjson([part], table, tmp_path / "two")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_a_table_without_rows_has_one_file_without_lines(tmp_path: Path) -> None:
    table = TABLES["clouds"]
    part = _write_parquet(tmp_path / "a.parquet", table, [])
    for parts in ([part], []):
        (staged,) = write_ndjson(parts, table, tmp_path / "staging")
        assert staged.rows == 0
        assert gzip.decompress(staged.path.read_bytes()) == b""


def test_large_tables_are_split_and_parts_of_an_earlier_attempt_go(tmp_path: Path) -> None:
    table, rows = TABLES["layers"], image_rows(10_000, "a")["layers"]
    for row in rows:
        row["digest"] = os.urandom(32).hex()
    part = _write_parquet(tmp_path / "a.parquet", table, rows)
    staged = write_ndjson([part], table, tmp_path / "staging", file_bytes=100_000)
    assert len(staged) == 3
    assert sum(one.rows for one in staged) == len(rows)
    read = [row for one in staged for row in _parse(gzip.decompress(one.path.read_bytes()))]
    assert [(row["image_id"], row["position"]) for row in read] == [
        (row["image_id"], row["position"]) for row in rows
    ]
    (whole,) = write_ndjson([part], table, tmp_path / "staging")
    assert list(whole.path.parent.iterdir()) == [whole.path]


def test_very_long_rows_are_written_one_by_one(tmp_path: Path) -> None:
    table = TABLES["images"]
    rows = [{"image_id": str(number), "tags": ["\x01" * 3_000_000]} for number in range(3)]
    part = _write_parquet(tmp_path / "a.parquet", table, rows)
    (staged,) = write_ndjson([part], table, tmp_path / "staging")
    read = _parse(gzip.decompress(staged.path.read_bytes()))
    assert [row["tags"] for row in read] == [row["tags"] for row in rows]


LIMITED = """
import resource, sys
from pathlib import Path
from exporter.errors import OutputError
from exporter.staging.ndjson import write_ndjson
from exporter.tables.schemas import TABLES
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_ndjson([Path(sys.argv[1])], TABLES["layers"], Path(sys.argv[2]))
except OutputError as error:
    print(error)
"""


def test_a_file_that_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    rows = image_rows(10_000, "a")["layers"]
    part = _write_parquet(tmp_path / "a.parquet", TABLES["layers"], rows)
    staging = tmp_path / "staging"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(part), str(staging)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert f"Cannot write below {staging}: the file would be larger than" in done.stdout
    assert not [path for path in staging.rglob("*") if path.is_file()]


def test_a_broken_parquet_part_is_an_output_error(tmp_path: Path) -> None:
    part = tmp_path / "a.parquet"
    part.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(OutputError, match=r"a\.parquet"):
        write_ndjson([part], TABLES["layers"], tmp_path / "staging")
    with pytest.raises(OutputError, match=r"b\.parquet cannot be read"):
        write_ndjson([tmp_path / "b.parquet"], TABLES["layers"], tmp_path / "staging")
    assert not list((tmp_path / "staging/ndjson/layers").iterdir())


MEASURED = """
import resource, sys
from pathlib import Path
from exporter.staging.ndjson import write_ndjson
from exporter.tables.schemas import TABLES
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_ndjson([Path(sys.argv[1])], TABLES["layers"], Path(sys.argv[3]))
before = peak()
write_ndjson([Path(sys.argv[2])] * 10, TABLES["layers"], Path(sys.argv[3]))
print((peak() - before) * 1024)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    table = TABLES["layers"]
    rows = pa.Table.from_pylist(image_rows(500, "a")["layers"], schema=table.schema)
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    pq.write_table(rows, small)
    pq.write_table(pa.concat_tables([rows] * 50), large, row_group_size=20_000)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(small), str(large), str(tmp_path / "staging")],
        env=UNMEASURED,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) < 100_000_000
