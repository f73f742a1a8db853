"""The DAG in configs/airflow, imported by the real Airflow and run task by task."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter
from tests.oracle.snapshots import snapshot_ids

DAG = Path(__file__).parents[2] / "configs" / "airflow" / "inventory.py"
PYTHON = Path(sys.prefix) / "pipelines" / "bin" / "python"
"""Airflow has an environment of its own with this program: `scripts/test` makes it."""
RUN = """
import json
from inventory import inventory

results = {}
for task in inventory().topological_sort():
    given = [results[one.operator.task_id] for one in task.op_args]
    results[task.task_id] = task.python_callable(*given)
print(json.dumps(results))
"""
"""Calls the tasks in the order that Airflow sees, each with what those before it returned."""


def test_every_task_of_the_dag_does_its_part(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    with Cloud(SMALL) as cloud:
        exporter = exporter_for(cloud)
        settings = exporter.folder / "cron.yaml"
        warehouse = exporter.folder / "warehouse.duckdb"
        settings.write_text(
            json.dumps(
                {
                    "endpoints": dict.fromkeys(
                        ("container_registry", "resource_manager", "iam"), cloud.url
                    ),
                    "output": {"url": str(exporter.output), "formats": ["parquet"]},
                    "load": {"to": f"duckdb:{warehouse}"},
                }
            )
        )
        text = DAG.read_text("utf-8").replace("/etc/registry-exporter/cron.yaml", str(settings))
        (exporter.folder / "inventory.py").write_text(text)
        done = subprocess.run(
            [PYTHON, "-c", RUN],
            cwd=exporter.folder,
            env=exporter.environment | {"AIRFLOW_HOME": str(exporter.folder / "airflow")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    (night,) = snapshot_ids(exporter.output)
    assert results == {"take": night, "check": None, "feed": [night], "tidy": []}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        (images,) = connection.execute(
            "SELECT count(*) FROM registry_inventory.latest_images"
        ).fetchone() or (0,)
    assert images == SMALL.images
