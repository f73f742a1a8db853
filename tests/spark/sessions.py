"""Spark sessions on this machine: in the test's own process, or in one for another master.

A process has one session at a time, and `conftest.spark` is that of the tests. What needs another
master, such as a cluster with workers of its own, or an event log, runs as a program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of a JVM that runs for seconds: to compile well would take longer than it saves."""
CLUSTER = "local-cluster[2,1,1024]"
"""A real cluster: two workers with one core and 1024 MB each, in processes of their own."""
PLAIN: Mapping[str, str] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "1024m",
    # Tests have few rows and many queries: to compile each costs more than it saves.
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What all sessions of these tests have."""


def begin(master: str, config: Mapping[str, str] | None = None) -> SparkSession:
    """Begin a session of this process; `config` goes over what all sessions have."""
    # The workers run the Python that runs the tests.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master).appName("registry-exporter tests")
    return builder.config(map={**PLAIN, **(config or {})}).getOrCreate()


def run_program(
    program: str,
    *arguments: str,
    folder: Path,
    master: str = CLUSTER,
    config: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python with a session `spark` of its own in `folder`, and return its output.

    `arguments` are in `sys.argv[1:]`. The program may fail: its exit code is in the result. The
    cluster's own logs are below `folder`/spark/work.
    """
    begun = f"from tests.spark.sessions import begin\nspark = begin({master!r}, {config or {}!r})\n"
    ended = "\nspark.stop()\n"
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    home = folder / "spark"
    home.mkdir(exist_ok=True)
    for each in Path(pyspark.__file__).parent.iterdir():
        if each.name != "work" and not (home / each.name).exists():
            (home / each.name).symlink_to(each)
    told = {"JDK_JAVA_OPTIONS": JAVA, "PYTHONPATH": paths, "SPARK_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", begun + program + ended, *arguments],
        cwd=folder,
        env=os.environ | told | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
