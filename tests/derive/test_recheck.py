"""That a snapshot's derived tables are recomputed, and differences named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.derive.recheck import recompute_problems
from exporter.sql import shares
from exporter.tables.schemas import TABLES
from tests.derive.estates import Blob, Image, World, derive_staged, digest, read, stage, write

WORLD = World(
    images=(
        Image("i1", "r1/a", (Blob(digest(1), 10),), Blob(digest(9), 3), tags=("v1",)),
        Image("i2", "r1/b", (Blob(digest(1), 10), Blob(digest(2), 20)), tags=("v1", "v2")),
    ),
    registries=(("r1", "f1", "c1"),),
)


@pytest.fixture(params=[shares.ROWS_AT_ONCE, 1], ids=["at once", "in shares"])
def snapshot(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setattr(shares, "ROWS_AT_ONCE", request.param)
    return derive_staged(stage(tmp_path, WORLD))


def problems(snapshot: Path) -> list[str]:
    parts = {name: sorted((snapshot / "parquet" / name).glob("*.parquet")) for name in TABLES}
    found = recompute_problems(parts, snapshot)
    assert not [path for path in snapshot.iterdir() if path.name != "parquet"]
    return found


def test_what_was_derived_has_no_problems(snapshot: Path) -> None:
    assert problems(snapshot) == []


@pytest.mark.parametrize(
    ("table", "column", "value", "where"),
    [
        ("size_totals", "stored_size", 1, "registry, r1"),
        ("size_totals", "complete", False, "registry, r1"),
        ("blobs", "image_count", 5, "r1"),
        ("tags", "digest", "sha256:other", "r1/a, v1, i1"),
    ],
)
def test_a_row_with_another_value_is_named(
    table: str, column: str, value: Any, where: str, snapshot: Path
) -> None:
    rows = read(snapshot, table)
    for row in rows:
        if where in ", ".join(str(row[name]) for name in TABLES[table].key):
            row[column] = value
    write(snapshot, table, [rows])
    missing, extra = problems(snapshot)
    assert missing.startswith(f"{table} does not have the row that follows")
    assert extra.startswith(f"{table} has a row that does not follow")
    assert where in missing
    assert where in extra


def test_rows_that_are_missing_or_twice_are_named(snapshot: Path) -> None:
    rows = read(snapshot, "tags")
    write(snapshot, "tags", [[rows[0], rows[0]]])
    missing, extra = problems(snapshot)
    assert missing.endswith("follows from the listed tables: r1/b, v1, i2, and 1 more like it")
    assert extra == "tags has a row that does not follow from the listed tables: r1/a, v1, i1"


def test_a_file_that_is_no_parquet_is_a_problem(snapshot: Path) -> None:
    (snapshot / "parquet" / "layers" / "part-00000.parquet").write_bytes(b"nothing of the kind")
    (problem,) = problems(snapshot)
    assert problem.startswith("totals cannot be recomputed: ")
    assert "part-00000.parquet" in problem


def test_a_table_without_files_is_a_problem(snapshot: Path) -> None:
    (snapshot / "parquet" / "layers" / "part-00000.parquet").unlink()
    assert problems(snapshot) == ["layers: there is no Parquet file to recompute totals from"]
