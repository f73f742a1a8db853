"""The rows that a warehouse is given: small batches of the warehouse's columns, checked files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from exporter import open_snapshot
from exporter.errors import IntegrityError
from exporter.load.rows import BATCH_BYTES, BATCH_ROWS, TableRows
from exporter.load.tables import tables_of
from exporter.tables.schemas import TABLES
from tests.load.published import Row, hostile_rows, publish_rows

LAYERS: list[Row] = [
    dict.fromkeys(TABLES["layers"].schema.names) | {"image_id": f"i{number}", "position": number}
    for number in range(2 * BATCH_ROWS + 1)
]
_IMAGES = hostile_rows(300, tables=["images"])["images"]
LONG: list[Row] = [row | {"annotations": [("text", "x" * 100_000)]} for row in _IMAGES]


@pytest.mark.parametrize("format_", ["parquet", "ndjson"])
def test_batches_are_small_and_have_all_rows_and_columns(tmp_path: Path, format_: str) -> None:
    rows = {"layers": LAYERS, "images": LONG}
    publish_rows(tmp_path, "n1", rows, format_="parquet" if format_ == "parquet" else "ndjson")
    read: list[int] = []
    with open_snapshot(tmp_path) as snapshot:
        for table in tables_of(snapshot, ("layers", "images", "findings")):
            source = TableRows(snapshot, table, read.append)
            batches = list(source.batches())
            assert all(batch.schema.equals(table.schema) for batch in batches)
            assert all(batch.num_rows <= BATCH_ROWS for batch in batches)
            # The rows of a batch differ in length.
            assert all(batch.nbytes <= 2 * BATCH_BYTES for batch in batches)
            found = pa.Table.from_batches(batches, table.schema)
            assert len(found) == source.rows == len(rows.get(table.name, []))
            assert set(found["snapshot_id"].to_pylist()) <= {"n1"}
            if table.name != "findings":
                ids = [row["image_id"] for row in rows[table.name]]
                assert sorted(found["image_id"].to_pylist()) == sorted(ids)
    assert sum(read) == len(LAYERS) + len(LONG)


def test_no_row_of_a_damaged_file_is_given(tmp_path: Path) -> None:
    publish_rows(tmp_path, "n1", {"layers": LAYERS})
    (part,) = (tmp_path / "parquet" / "layers" / "snapshot_id=n1").iterdir()
    content = bytearray(part.read_bytes())
    content[-1000] ^= 1
    part.write_bytes(content)
    with open_snapshot(tmp_path) as snapshot:
        (table,) = tables_of(snapshot, ("layers",))
        for give in ("batches", "files"):
            source = TableRows(snapshot, table, lambda _: None)
            with pytest.raises(IntegrityError, match=part.name) as refused:
                next(getattr(source, give)())
            assert source.failure is refused.value
