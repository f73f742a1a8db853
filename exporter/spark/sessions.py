"""The Spark session of an export, and how many of its tasks can run at once."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import ExporterError
from exporter.spark.extra import require_packages
from exporter.spark.partitions import SettingsReference

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

_LOCAL = re.compile(r"local\[(\d+|\*)(?:,\d+)?\]")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*\d+\s*\]")

# Spark's bars of progress would stand between the lines of the log.
_PLAIN = {"spark.ui.showConsoleProgress": "false"}


def begin(master: str | None, settings: Mapping[str, str]) -> SparkSession:
    """Begin a session, or return that of this process.

    Without `master`, it is the one that `spark-submit` or Spark's own files name, or else all cores
    of this machine. `settings` are Spark's (`spark.…`). Raises `ExporterError` if Spark does not
    start.
    """
    require_packages()
    from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    if "PYSPARK_GATEWAY_PORT" not in os.environ and (master or "local").startswith("local"):
        # Tasks on this machine run the Python that has this program.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("registry-exporter")
    if master is not None:
        builder = builder.master(master)
    handler = signal.getsignal(signal.SIGINT)
    try:
        return builder.config(map={**_PLAIN, **settings}).getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        raise ExporterError(
            "Spark does not start: install Java 17 or newer and set JAVA_HOME, check the address "
            f"of the master, and see what Spark says above ({_first_line(error)})."
        ) from error
    finally:
        # Spark puts its own in place.
        signal.signal(signal.SIGINT, handler)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".:")


def ship(session: SparkSession, config: Path | None, flags: Mapping[str, Any]) -> SettingsReference:
    """Return how tasks find the settings, and have Spark ship the file where it is needed."""
    if config is None:
        return SettingsReference(None, flags)
    context = session.sparkContext
    if not config.exists():
        return SettingsReference(str(config), flags)  # Spark ships it already, or it is nowhere.
    if not context.master.startswith("local"):
        context.addFile(str(config.absolute()))
    return SettingsReference(str(config.absolute()), flags)


def task_slots(context: SparkContext) -> int | None:
    """Return how many tasks can run at once, None if Spark's settings do not bound that."""
    settings = context.getConf()
    cores = _cores(context.master, settings)
    if cores == 0:
        runtime = context._jvm.java.lang.Runtime  # noqa: SLF001 - Spark counts as Java does
        cores = int(runtime.getRuntime().availableProcessors())
    return None if cores is None else max(1, cores // _number(settings, "spark.task.cpus", 1))


def _cores(master: str, settings: SparkConf) -> int | None:
    """Return the cores that the executors have together, 0 for all of this machine."""
    if master == "local":
        return 1
    if found := _LOCAL.fullmatch(master):
        return 0 if found[1] == "*" else int(found[1])
    if found := _LOCAL_CLUSTER.fullmatch(master):
        return int(found[1]) * int(found[2])
    most = _number(settings, "spark.cores.max", 0)
    each = _number(settings, "spark.executor.cores", 0)
    is_dynamic = settings.get("spark.dynamicAllocation.enabled", "false") == "true"
    name = "spark.dynamicAllocation.maxExecutors" if is_dynamic else "spark.executor.instances"
    executors = _number(settings, name, 0)
    if master.startswith("spark://"):
        # There, an executor without a number of cores has all of its worker's.
        bounds = [bound for bound in (most, executors * each) if bound]
        return min(bounds, default=None)
    return executors * max(each, 1) or None


def _number(settings: SparkConf, name: str, default: int) -> int:
    value = settings.get(name)
    return int(value) if value is not None else default
