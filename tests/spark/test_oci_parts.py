"""OCI registries listed in parts: the rows, the ledger and the calls of one machine's export."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import SparkSession

from exporter import export
from exporter.emulator import Faults
from exporter.emulator.oci import Behaviour, Shape
from exporter.settings import load_settings
from exporter.spark import RegistrySource
from tests.oci.emulated import Emulated
from tests.oracle.readers import read_parquet
from tests.oracle.snapshots import read_snapshot
from tests.oracle.values import Tables
from tests.spark.parts import FEW_FAULTS, check_rows, list_in_parts

TABLES = ("registries", "repositories", "images", "layers", "config_blobs", "image_references")


def write_config(folder: Path, registry: str, cache: str, **more: Any) -> Path:
    told = {
        "source": "oci",
        "oci": {"cache": cache, "registries": [{"registry": registry, **more}]},
        "limits": {"concurrency": 8},
        "output": {"url": str(folder / "out"), "formats": ["parquet"]},
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("seed", "behaviour", "faults"),
    [(1, Behaviour(), Faults()), (2, Behaviour(flavor="harbor"), FEW_FAULTS)],
)
def test_parts_together_list_what_one_machine_lists(
    seed: int, behaviour: Behaviour, faults: Faults, tmp_path: Path
) -> None:
    with Emulated(
        Shape(seed=seed, repositories=12, tags=90, indexes=20, untagged=0.1), behaviour, faults
    ) as emulated:
        config = write_config(tmp_path, emulated.registry, "off")
        manifest = asyncio.run(export(load_settings(config)))
        whole = read_snapshot(tmp_path / "out", manifest.snapshot_id, ("parquet",))
        parts = list_in_parts(config, tmp_path / "parts", slots=4, expected={})
    assert len(parts.found.specs) > 1
    check_rows(parts.tables(), whole.tables, TABLES)
    entries = parts.merged.coverage.entries()
    assert {(one.listing, one.parent_id): one.status for one in entries} == whole.statuses()
    if faults == Faults():
        assert parts.merged.requests.calls <= 1.05 * whole.manifest["requests"]["calls"]


def test_the_data_source_knows_what_the_references_of_indexes_tell(
    spark: SparkSession, tmp_path: Path
) -> None:
    shape = Shape(seed=3, repositories=8, tags=40, indexes=10)
    spark.dataSource.register(RegistrySource)
    found: Tables = {}
    with Emulated(shape) as emulated:
        config = write_config(tmp_path, emulated.registry, "off")
        reader = spark.read.format("registry_exporter").option("config", str(config))
        for table in ("repositories", "images"):
            rows = reader.options(table=table, parallelism="2").load().toArrow()
            pq.write_table(rows, tmp_path / table)
            found[table] = read_parquet(tmp_path / table, table)
        manifest = asyncio.run(export(load_settings(config)))
    whole = read_snapshot(tmp_path / "out", manifest.snapshot_id, ("parquet",))
    # No listing tells it: it follows from tags and references.
    assert {row["reachable"] for row in whole.tables["images"]} == {True}
    check_rows(found, whole.tables, [*found])
