"""A real cluster of two executors, in processes of their own, runs what `spark-submit` gives it.

It reads a table, and then takes a whole export: a cluster takes as long to start as either.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from exporter.emulator import Behaviour, LoggedCall, Shape
from exporter.emulator.shape import Quirks
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud, is_page
from tests.e2e.commands import Exporter
from tests.oracle.snapshots import read_snapshot, snapshot_ids
from tests.spark.exports import check_same, kills_executor, start
from tests.spark.sessions import CLUSTER, PLAIN, make_home

SHAPE = Shape(
    seed=10,
    clouds=2,
    folders=6,
    registries=16,
    repositories=60,
    images=1500,
    layers=4,
    quirks=Quirks.all(),
)
SUBMIT = Path(sys.executable).with_name("spark-submit")
EXPORT = Path(__file__).parents[2] / "configs" / "spark" / "export_on_spark.py"
PROGRAM = """
import runpy, sys
from pyspark.sql import SparkSession
from exporter.spark import RegistrySource

spark = SparkSession.builder.getOrCreate()
spark.dataSource.register(RegistrySource)
source = spark.read.format("registry_exporter")
found = source.options(config="shipped.yaml", table="images", parallelism="2").load()
found.explain("extended")
found.write.parquet("images")
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.1",
}
"""A task that takes somewhat longer than a few others is run twice, as soon as a slot is free."""
RATE = 40.0
PAGE = 20
"""The page size of the export; the table is read with another."""


def is_of_export(call: LoggedCall) -> bool:
    return call.query.get("pageSize") == str(PAGE)


def test_a_cluster_that_loses_an_executor_keeps_rows_rate_and_secrets(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(latency=0.02))
    exporter = Exporter(tmp_path, cloud)
    whole = exporter.export({"limits": {"page_size": 100}})
    # The path is nobody's: each executor finds the file that Spark ships.
    told = exporter.settings({"limits": {"page_size": 100}})
    told["credentials"] = {"iam_token_file": "/nowhere/shipped-token"}
    texts = {"shipped.yaml": yaml.safe_dump(told), "shipped-token": Cloud.token, "go.py": PROGRAM}
    sent, events = tmp_path / "sent", tmp_path / "events"
    sent.mkdir()
    events.mkdir()
    for name, text in texts.items():
        (sent / name).write_text(text, encoding="utf-8")
    config = {
        **PLAIN,
        **SPECULATION,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.files": f"{sent / 'shipped.yaml'},{sent / 'shipped-token'}",
    }
    limits = {"page_size": PAGE, "requests_per_second": RATE}
    process = start(
        exporter,
        [
            *(str(SUBMIT), "--master", CLUSTER),
            *(f"--conf={name}={value}" for name, value in config.items()),
            *(str(sent / "go.py"), str(EXPORT), "--log-format", "json"),
            *("--config", str(exporter.write_config({"limits": limits}))),
            *("--format", "parquet"),
        ],
        SPARK_HOME=str(make_home(tmp_path)),
    )
    cloud.calls.after(
        20, kills_executor(process.pid), lambda call: is_page(call) and is_of_export(call)
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said[-4000:]
    assert cloud.calls.has_acted
    read = [
        image_id
        for path in (tmp_path / "images").glob("*.parquet")
        for image_id in pq.read_table(path)["image_id"].to_pylist()
    ]
    assert sorted(read) == sorted(row["image_id"] for row in whole.tables["images"])
    newest = snapshot_ids(exporter.output)[-1]
    check_same(read_snapshot(exporter.output, newest, ("parquet",)), whole)
    listed = sorted(call.started for call in cloud.calls if is_of_export(call))
    # A task waits for its turn before its first call, and the driver has called alone.
    assert len(listed) <= 1.05 * RATE * (listed[-1] - listed[0]) + 2
    # What the killed attempts wrote is gone.
    assert not [one for one in (exporter.output / ".staging").iterdir() if one.is_dir()]
    assert "BatchScan registry_exporter" in said
    logs = [path for path in events.rglob("*") if path.is_file()]
    assert logs
    executors = [
        path for name in ("stdout", "stderr") for path in (tmp_path / "spark/work").rglob(name)
    ]
    assert len(executors) >= 2 * 3  # Of those that begun, and of the one that came after.
    for text in [said, *(path.read_text("utf-8") for path in (*logs, *executors))]:
        assert Cloud.token not in text
