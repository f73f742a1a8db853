"""Hints: what the last complete snapshot counted, and nothing where it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from exporter.snapshots.hints import image_counts
from exporter.snapshots.manifest import Status
from exporter.snapshots.publish import publish
from exporter.staging.layout import Format
from exporter.staging.ndjson import write_ndjson
from exporter.staging.parquet import write_table
from exporter.storage.destination import Destination
from exporter.storage.opening import open_destination
from exporter.tables.schemas import TABLES
from tests.snapshot.world import draft

TOTALS = [
    {"scope": "registry", "scope_id": "crp1", "image_count": 7},
    {"scope": "registry", "scope_id": "crp2", "image_count": 0},
    {"scope": "repository", "scope_id": "crp1/app", "image_count": 7},
    {"scope": "total", "scope_id": "*", "image_count": 7},
]


def publish_totals(
    output: Path, *, format_: Format = "parquet", status: Status = "complete"
) -> Destination:
    """Publish a snapshot whose tables are empty, but for the totals."""
    staging = output.parent / "staging"
    staging.mkdir()
    files = []
    for table in TABLES.values():
        rows = TOTALS if table.name == "size_totals" else []
        part = write_table(staging, table, [pa.Table.from_pylist(rows, table.schema)])
        ndjson = write_ndjson([part.path], table, staging)
        files += [part] if format_ == "parquet" else ndjson
    destination = open_destination(str(output))
    publish(destination, draft("one", status=status), files, staging=staging, replace=False)
    return destination


def test_images_are_told_by_registry(tmp_path: Path) -> None:
    assert image_counts(publish_totals(tmp_path / "out")) == {"crp1": 7, "crp2": 0}


def test_an_output_without_a_snapshot_gives_no_hints(tmp_path: Path) -> None:
    assert image_counts(open_destination(str(tmp_path / "absent"))) == {}


def test_a_snapshot_without_parquet_gives_no_hints(tmp_path: Path) -> None:
    assert image_counts(publish_totals(tmp_path / "out", format_="ndjson")) == {}


def test_a_partial_snapshot_gives_no_hints(tmp_path: Path) -> None:
    assert image_counts(publish_totals(tmp_path / "out", status="partial")) == {}


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"tables": 7}', b"\xff"])
def test_a_manifest_that_cannot_be_read_gives_no_hints(content: bytes, tmp_path: Path) -> None:
    destination = publish_totals(tmp_path / "out")
    (tmp_path / "out" / "manifests" / "latest.json").write_bytes(content)
    assert image_counts(destination) == {}


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing else"])
def test_totals_that_cannot_be_read_give_no_hints(content: bytes | None, tmp_path: Path) -> None:
    destination = publish_totals(tmp_path / "out")
    (file,) = (tmp_path / "out" / "parquet" / "size_totals").rglob("part-*")
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert image_counts(destination) == {}
