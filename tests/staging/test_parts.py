"""The memory of rows that wait to be written as a row group."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.staging.parquet import PartWriter
from exporter.tables.staged import STAGED


def test_rows_in_small_pieces_take_little_more_memory_than_in_one(tmp_path: Path) -> None:
    table = STAGED["images"]
    rows = [{"image_id": f"a/b@{place}", "digest": "sha256:" + "1" * 64} for place in range(4)]
    piece = pa.Table.from_pylist(rows, schema=table.schema)
    part = PartWriter(tmp_path, table, 0)
    before = pa.total_allocated_bytes()
    for _ in range(500):
        part.append(pa.Table.from_pylist(rows, schema=table.schema))
    assert part.rows == 2_000
    whole = pa.concat_tables([piece] * 500).combine_chunks()
    assert pa.total_allocated_bytes() - before <= 3 * whole.nbytes
    written = pq.read_table(part.close().path)
    assert written["image_id"].to_pylist() == whole["image_id"].to_pylist()


def test_plain_and_encoded_texts_mix_in_the_order_in_which_they_come(tmp_path: Path) -> None:
    table = STAGED["layers"]
    plain = pa.table({"image_id": ["b", "a", "b"], "position": pa.array([0, 1, 2], pa.int32())})
    encoded = plain.set_column(0, "image_id", plain["image_id"].dictionary_encode())
    part = PartWriter(tmp_path, table, 0)
    for rows in (plain, encoded, encoded, plain):
        part.append(rows)
    written = pq.read_table(part.close().path)
    assert written.schema.equals(table.schema)
    assert written["image_id"].to_pylist() == ["b", "a", "b"] * 4
    assert written["position"].to_pylist() == [0, 1, 2] * 4
