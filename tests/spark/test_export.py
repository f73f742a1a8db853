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

from exporter.emulator import Behaviour, Fault, Faults, Shape
from exporter.emulator.shape import Quirks
from exporter.errors import OutageError, OutputError, SettingsError
from exporter.spark.listing import check_reached
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.oracle.snapshots import read_snapshot, snapshot_ids
from tests.spark.exports import check_same, export_by, kills_executor, kills_workers, write_config
from tests.spark.sessions import CLUSTER, JAVA, PLAIN

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
FAULTS = (Fault.HTTP_429, Fault.HTTP_500, Fault.RESET, Fault.TRUNCATED, Fault.HTML)
FEW_FAULTS = Faults(rates=dict.fromkeys(FAULTS, 0.01))
"""5% of all calls go wrong."""
PARQUET = {"output": {"formats": ["parquet"]}}
SUBMIT = Path(sys.executable).with_name("spark-submit")
PROGRAM = Path(__file__).parents[2] / "configs" / "spark" / "export_on_spark.py"
SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.1",
}
"""A task that takes somewhat longer than a few others is run twice, as soon as a slot is free."""


def elsewhere(exporter: Exporter, name: str = "by-spark") -> dict[str, object]:
    """Return the settings of another output, beside that of one machine."""
    return {"url": str(exporter.folder / name)}


def command(exporter: Exporter, config: Path, *flags: str) -> subprocess.Popen[str]:
    """Begin the command that takes an export with Spark, on this machine."""
    plain = [f"--conf={name}={value}" for name, value in PLAIN.items()]
    line = [sys.executable, "-m", "exporter.spark", *flags, *plain, "--config", str(config)]
    return begin(exporter, line)


def begin(exporter: Exporter, line: list[str]) -> subprocess.Popen[str]:
    """Begin a program in the folder and the environment of the command, with Java."""
    named = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    environment = exporter.environment | named | {"JDK_JAVA_OPTIONS": JAVA}
    environment["PYSPARK_PYTHON"] = environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
    return subprocess.Popen(
        line,
        cwd=exporter.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_driver_publishes_nothing_and_the_next_run_gives_the_snapshot_of_one_machine(
    spark: SparkSession, serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
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


def test_a_cluster_that_loses_an_executor_keeps_rows_calls_rate_and_secrets(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    shape = replace(SHAPE, seed=8, images=1500)
    cloud = serve_cloud(shape, Behaviour(latency=0.02))
    exporter = Exporter(tmp_path, cloud)
    limits = {"page_size": 20, "requests_per_second": 40.0}
    whole = exporter.export({"limits": limits})
    sections = {"limits": limits, "output": {"url": "./snapshots", "formats": ["parquet"]}}
    events = tmp_path / "events"
    events.mkdir()
    told = {
        **PLAIN,
        **SPECULATION,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
    }
    conf = [f"--conf={name}={value}" for name, value in told.items()]
    line = [str(SUBMIT), "--master", CLUSTER, *conf, str(PROGRAM), "--log-format", "json"]
    before = len(list(cloud.calls))
    process = begin(exporter, [*line, "--config", str(exporter.write_config(sections))])
    cloud.calls.after(20, kills_executor(process.pid))
    said, _ = process.communicate()
    assert process.returncode == 0, said[-4000:]
    assert cloud.calls.has_acted
    newest = snapshot_ids(exporter.output)[-1]
    check_same(read_snapshot(exporter.output, newest, ("parquet",)), whole)
    listed = sorted(call.started for call in list(cloud.calls)[before:])
    # A task waits for its turn before its first call, and the driver has called alone.
    assert len(listed) <= 1.05 * 40 * (listed[-1] - listed[0]) + 2
    assert Cloud.token not in said
    logs = [one for one in events.rglob("*") if one.is_file()]
    assert logs
    assert not [one for one in logs if Cloud.token.encode() in one.read_bytes()]
    # What the killed attempts wrote is gone.
    assert not [one for one in (exporter.output / ".staging").iterdir() if one.is_dir()]


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
    exporter.export(PARQUET)
    before = len(list(cloud.calls))
    with pytest.raises(SettingsError, match="holds snapshots of another source or scope"):
        export_by(spark, exporter, {**PARQUET, "scope": {"registries": ["crpone"]}})
    assert len(list(cloud.calls)) == before


def test_an_executor_that_does_not_see_the_staging_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"name one in output\.staging that the driver and every"):
        check_reached(tmp_path / "elsewhere")
