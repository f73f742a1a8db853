"""What a command does not use takes none of its time."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ServeCloud
from tests.e2e.commands import Exporter

UNUSED = {
    *("cryptography", "exporter.emulator", "exporter.load", "exporter.report.making"),
    *("exporter.snapshots.reader", "exporter.sources.oci", "jwt", "obstore", "prometheus_client"),
    *("pyarrow.csv", "rich.console"),
}
"""Modules for buckets, keys, loads, reports, metrics, people at a terminal, and other sources."""
USED = {"aiohttp", "exporter.sources.cloud", "pyarrow.parquet", "yaml"}


def test_an_export_of_a_cloud_to_a_folder_imports_nothing_else(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    exporter = Exporter(tmp_path, serve_cloud())
    exporter.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    run = exporter.run()
    assert run.code == 0
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert imported >= USED
    assert imported & UNUSED == set()
