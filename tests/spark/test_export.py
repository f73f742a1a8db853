"""Whole exports by Spark: the snapshot of one machine, whatever becomes of tasks and machines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from exporter.emulator import Shape
from exporter.emulator.shape import Quirks
from exporter.errors import OutageError, OutputError, SettingsError
from exporter.spark.listing import check_reached
from tests.conftest import ServeCloud
from tests.e2e.commands import Exporter
from tests.oracle.snapshots import snapshot_ids
from tests.spark.exports import check_same, export_by, kills_workers, start, write_config
from tests.spark.parts import FEW_FAULTS
from tests.spark.sessions import PLAIN

SHAPE = Shape(
    seed=7,
    clouds=2,
    folders=6,
    registries=16,
    repositories=60,
    images=900,
    layers=4,
    quirks=Quirks.all(),
)
PARQUET = {"output": {"formats": ["parquet"]}}


def elsewhere(exporter: Exporter, name: str = "by-spark") -> dict[str, object]:
    """Return the settings of another output, beside that of one machine."""
    return {"url": str(exporter.folder / name)}


def command(exporter: Exporter, config: Path, *flags: str) -> subprocess.Popen[str]:
    """Start the command that takes an export with Spark, on this machine."""
    plain = [f"--conf={name}={value}" for name, value in PLAIN.items()]
    line = [sys.executable, "-m", "exporter.spark", *flags, *plain, "--config", str(config)]
    return start(exporter, line)


def test_a_killed_driver_publishes_nothing_and_the_next_run_gives_the_snapshot_of_one_machine(
    spark: SparkSession, serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    # Images of this one come in another order on another page, and so several times.
    cloud = serve_cloud(replace(SHAPE, seed=21))
    exporter = Exporter(tmp_path, cloud)
    whole = exporter.export({"limits": {"page_size": 100}})
    sections = {"limits": {"page_size": 100}, "output": elsewhere(exporter)}
    process = command(exporter, write_config(exporter, sections), "--master", "local[2]")
    cloud.calls.after(3, process.kill)
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    output = tmp_path / "by-spark"
    assert not snapshot_ids(output)
    [begun] = [one for one in (output / ".staging").iterdir() if one.is_dir()]
    cloud.faults = FEW_FAULTS
    again = export_by(spark, exporter, sections)
    check_same(again, whole)
    assert again.manifest["snapshot_id"] == begun.name
    assert not [one for one in (output / ".staging").iterdir() if one.is_dir()]
    requests, own = again.manifest["requests"], whole.manifest["requests"]
    assert requests["calls"] - requests["retries"] <= 1.05 * own["calls"]
    for line in (["list"], ["verify"], ["diff", "latest", "latest"]):
        run = exporter.command(*line, "--output", str(output))
        assert run.code == 0, run.stderr


def test_a_task_that_fails_for_good_leaves_a_partial_snapshot_that_says_what_is_missing(
    spark: SparkSession, serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(replace(SHAPE, seed=9))
    exporter = Exporter(tmp_path, cloud)
    sections = {"limits": {"page_size": 10}, **PARQUET}
    whole = exporter.export(sections)
    denied = max(row["registry_id"] for row in whole.tables["registries"])
    cloud.deny(denied)
    cloud.calls.after(8, kills_workers(os.getpid()))
    partial_ = export_by(spark, exporter, sections, snapshot_id="partial")
    assert partial_.manifest["status"] == "partial"
    statuses = partial_.statuses()
    assert statuses["images", denied] == "denied"
    failed = {id_ for (listing, id_), status in statuses.items() if status == "failed"}
    assert failed
    messages = {row["message"] for row in partial_.tables["coverage"] if row["status"] == "failed"}
    assert messages == {
        "The Spark task that lists it failed once; the log of its executor says why."
    }
    missing = {denied, *failed}
    for table in ("images", "layers", "tags"):
        wanted = [row for row in whole.tables[table] if row["registry_id"] not in missing]
        assert len(wanted) == len(partial_.tables[table])
    latest = exporter.read().latest
    assert latest == whole.manifest["snapshot_id"]


def test_an_outage_and_another_scope_end_the_run_with_nothing_published(
    spark: SparkSession, serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = Exporter(tmp_path, cloud)
    sections = {"limits": {"page_size": 100, "outage": "2s"}, "output": elsewhere(exporter)}
    cloud.calls.after(3, cloud.stop)
    with pytest.raises(OutageError, match=r"has not answered for .* run again\.$"):
        export_by(spark, exporter, sections)
    cloud.go_on()
    output = tmp_path / "by-spark"
    assert not snapshot_ids(output)
    assert not [one for one in (output / ".staging").iterdir() if one.is_dir()]
    # A task that was cancelled may still call the other one.
    cloud = serve_cloud(cloud.estate)
    exporter = exporter.for_cloud(cloud)
    exporter.export(PARQUET)
    before = len(list(cloud.calls))
    with pytest.raises(SettingsError, match="holds snapshots of another source or scope"):
        export_by(spark, exporter, {**PARQUET, "scope": {"registries": ["crpone"]}})
    assert len(list(cloud.calls)) == before


def test_an_executor_that_does_not_see_the_staging_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"name one in output\.staging that the driver and every"):
        check_reached(tmp_path / "elsewhere")
