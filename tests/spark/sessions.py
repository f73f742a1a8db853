"""Spark sessions on this machine: in the test's own process, or for a program in one of its own.

A process has one session at a time, and `conftest.spark` is that of the tests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

JAVA = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:NewRatio=1 "
    "-XX:ReservedCodeCacheSize=240m -XX:MetaspaceSize=256m "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
"""Options of a JVM that runs for seconds: to compile well would take longer than it saves. So would
it to make room again and again for code and classes that are all needed, and to verify Spark's."""
CLUSTER = "local-cluster[2,1,1024]"
"""A real cluster: two workers with one core and 1024 MB each, in processes of their own."""
PLAIN: Mapping[str, str] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "1024m",
    "spark.python.daemon.module": "tests.spark.daemon",
    # Tests have few rows and many queries: to compile each costs more than it saves. So do a task
    # for each core that reads two small files, and the memory that each sort and hash table takes.
    "spark.buffer.pageSize": "1m",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What all sessions of these tests have."""


def begin(master: str) -> SparkSession:
    """Begin a session of this process."""
    # The workers run the Python that runs the tests.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master).appName("registry-exporter tests")
    return builder.config(map=dict(PLAIN)).getOrCreate()


def make_home(folder: Path) -> Path:
    """Make a home for Spark in a folder, where a cluster puts the logs of its executors, in `work`.

    All else of it is that of the installed Spark.
    """
    home = folder / "spark"
    home.mkdir()
    for each in Path(pyspark.__file__).parent.iterdir():
        if each.name != "work":
            (home / each.name).symlink_to(each)
    return home
