"""That Spark derives the same rows as one machine, from the same parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from exporter.derive.conclude import conclude
from exporter.derive.parents import fill_parents
from exporter.spark.derive import derive, drop_duplicates
from exporter.staging.layout import StagedFile, staged_parts
from exporter.tables.schemas import TABLES
from tests.derive.estates import Row, World, oci_worlds, worlds
from tests.spark.estates import PARTITIONS, drawn, estate, odd_manifests, odd_world, scatter, write

LEFT_OUT = (("folder", "w0 üf1"), ("cloud", "w2 üc2"))
KINDS = {
    "bad_value",
    "image_changed",
    "negative_size",
    "size_conflict",
    "size_mismatch",
    "size_overflow",
    "tag_on_two_images",
    "unknown_registry",
    "unlisted_repository",
    # Of registries with the OCI API.
    "dangling_subject",
    "empty_repository",
    "implausible_time",
    "invalid_tag",
    "missing_child",
    "schema1_manifest",
}


def side_by_side() -> list[World]:
    """Return worlds of a cloud and of OCI registries: each derivation takes Spark many seconds.

    A run has one of them; `test_export.py` compares whole exports of clouds alone.
    """
    of_clouds = [*drawn(worlds(), 1, 20), *drawn(worlds(), 2, 20)]
    of_oci = [*drawn(oci_worlds(), 3, 20), *drawn(oci_worlds(), 4, 20)]
    return [odd_world(), odd_manifests(), *of_clouds, *of_oci]


def test_both_engines_keep_and_derive_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    one_machine = tmp_path / "one machine"
    write(one_machine, estate(side_by_side(), 5))
    fill_parents(one_machine)
    folders = [tmp_path / f"partition={number} [x] {{é}}, %20" for number in range(PARTITIONS)]
    parts = scatter(one_machine, folders)
    before = {part.path: part.path.read_bytes() for several in parts.values() for part in several}

    counts, wanted = on_one_machine(one_machine)
    folder = tmp_path / "new {parts}, [x] a=b"
    listed = drop_duplicates(spark, parts, folder)
    derived = derive(spark, listed, listed.parts["coverage"], folder, left_out=LEFT_OUT)
    found = {name: rows_of_parts(derived[name]) for name in derived if name in TABLES}

    assert {table: dict(rows) for table, rows in listed.rows.items()} == counts
    assert found.keys() == wanted.keys()
    for name, rows in wanted.items():
        assert sorted(map(repr, found[name])) == sorted(map(repr, rows)), name
        # They are sorted by a key that no two rows share, or by its first column.
        order = TABLES[name].key if name != "blobs" else ["registry_id"]
        if TABLES[name].kind == "derived":
            assert ordered(found[name], order) == ordered(rows, order), name
        assert rows, name
    # All of it is there to be found.
    assert {row["kind"] for row in wanted["findings"]} >= KINDS
    assert {row["reachable"] for row in wanted["images"]} == {True, False, None}
    assert "attestation" in {row["kind"] for row in wanted["images"]}
    # A part that stands is never changed, and what Spark kept for itself is gone.
    assert before == {path: path.read_bytes() for path in before}
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {
        "changed.parquet",
        "rewritten",
        *(table.name for table in TABLES.values() if table.kind == "derived"),
    }


def on_one_machine(staging: Path) -> tuple[dict[str, dict[str, int]], dict[str, list[Row]]]:
    """Return how many rows are left by table and registry, and all rows, of a concluded run."""
    counts: dict[str, dict[str, int]] = {}
    ledger = pa.concat_tables(map(pq.read_table, staged_parts(staging, "coverage")))

    def coverage(rows: Mapping[str, Mapping[str, int]]) -> pa.Table:
        counts.update({table: dict(by_registry) for table, by_registry in rows.items()})
        return ledger

    files = conclude(staging, {}, coverage, ["parquet"], left_out=LEFT_OUT)
    return counts, {
        name: rows_of_parts([file for file in files if file.table == name]) for name in TABLES
    }


def rows_of_parts(parts: Iterable[StagedFile]) -> list[Row]:
    rows: list[Row] = []
    for part in parts:
        with pq.ParquetFile(part.path) as file:
            assert file.metadata.num_rows == part.rows
            rows += file.read().to_pylist()
    return rows


def ordered(rows: list[Row], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in rows]
