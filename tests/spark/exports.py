"""Exports by Spark, in the shared session or by the command, held against one machine's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
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


def killer(pid: int, named: bytes, most: int | None = None) -> Callable[[], None]:
    """Return what kills processes below one whose command line has `named`, at most so many."""

    def kill() -> None:
        for each in list(_below(pid, named))[:most]:
            os.kill(each, signal.SIGKILL)

    return kill


def _below(pid: int, named: bytes) -> Iterator[int]:
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = process.joinpath("stat").read_text()
            line = process.joinpath("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(process.name)] = int(status.rpartition(")")[2].split()[1]), line
    for one, (_, line) in sorted(parents.items()):
        above = one
        while above in parents and above != pid:
            above = parents[above][0]
        if above == pid and one != pid and named in line:
            yield one
