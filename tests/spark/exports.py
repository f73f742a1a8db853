"""Exports by Spark, in the shared session or by a program, held against one machine's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from exporter.run import export
from exporter.spark.export import inventory_by
from exporter.spark.files import settings_of
from exporter.spark.partitions import SettingsReference
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.oracle.compare import differences, without
from tests.oracle.schema import KEYS
from tests.oracle.snapshots import Snapshot, read_snapshot
from tests.spark.sessions import JAVA, PLAIN

_OF_THE_RUN = ("pages", "calls", "retries", "started_at", "finished_at")


def write_config(exporter: Exporter, sections: Mapping[str, Any] | None = None) -> Path:
    """Write settings whose token is in a file, as tasks find it whatever their environment is."""
    token = exporter.folder / "token"
    token.write_text(Cloud.token, encoding="utf-8")
    told = {**(sections or {}), "credentials": {"iam_token": None, "iam_token_file": str(token)}}
    return exporter.write_config(told)


def export_by(
    spark: SparkSession, exporter: Exporter, sections: Mapping[str, Any], **wishes: Any
) -> Snapshot:
    """Run an export in the session; read and check what it published."""
    reference = SettingsReference(str(write_config(exporter, sections)))
    settings = settings_of(reference)
    taken = inventory_by(spark, reference)
    manifest = asyncio.run(export(settings, inventory=taken, **wishes))
    return read_snapshot(
        Path(settings.output.url), manifest.snapshot_id, tuple(settings.output.formats)
    )


def start(exporter: Exporter, line: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a program in the folder and the environment of the command, with Java.

    `environment` goes over that. Its stdout has its stderr too.
    """
    named = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    python = dict.fromkeys(("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"), sys.executable)
    python["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.Popen(
        line,
        cwd=exporter.folder,
        env=exporter.environment | named | python | {"JDK_JAVA_OPTIONS": JAVA} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check_same(found: Snapshot, wanted: Snapshot) -> None:
    """Hold a snapshot against that of one machine: the same rows in every table."""
    for table in KEYS:
        left_out = _OF_THE_RUN if table == "coverage" else ()
        difference = differences(
            without(wanted.tables[table], *left_out),
            without(found.tables[table], *left_out),
            KEYS[table],
        )
        assert not difference, f"{table}: {difference}"
    assert found.manifest["totals"] == wanted.manifest["totals"]
    assert found.manifest["coverage"] == wanted.manifest["coverage"]


def kills_executor(pid: int) -> Callable[[], None]:
    """Return what kills one of the executors below a driver."""
    return lambda: _kill(_below(pid, b"CoarseGrainedExecutorBackend")[:1])


def kills_workers(pid: int) -> Callable[[], None]:
    """Return what kills the Python workers below a driver, and not the process that forks them."""
    daemon = f"-m\0{PLAIN['spark.python.daemon.module']}".encode()
    return lambda: _kill(_below(pid, daemon, within=daemon))


def _kill(processes: list[int]) -> None:
    for each in processes:
        os.kill(each, signal.SIGKILL)


def _below(pid: int, named: bytes, within: bytes = b"") -> list[int]:
    """Return the processes below one that are `named` so, and whose parent is, by their lines."""
    parents, lines = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            status = process.joinpath("stat").read_text()
            parents[int(process.name)] = int(status.rpartition(")")[2].split()[1])
            lines[int(process.name)] = process.joinpath("cmdline").read_bytes()
    found = []
    for one, line in sorted(lines.items()):
        above = parents[one]
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and named in line and within in lines.get(parents[one], b""):
            found.append(one)
    return found
