"""A small staged snapshot, a manifest to publish it under, and a reader who trusts nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from exporter.snapshots.manifest import Manifest, Requests, Status
from exporter.staging.layout import Format, StagedFile
from exporter.staging.ndjson import write_ndjson
from exporter.staging.parquet import write_table
from exporter.tables.schemas import TABLES

UNMEASURED = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
"""An environment for processes that fork and are killed: they would ruin coverage's files."""
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def image_rows(count: int, mark: str) -> dict[str, list[dict[str, Any]]]:
    """Return rows of `images` and `layers`; `mark` makes two worlds' rows differ."""
    images = [
        {
            "image_id": f"image-{mark}-{number}",
            "registry_id": "registry",
            "repository_name": "registry/app",
            "digest": f"sha256:{number:064x}",
            "compressed_size": 2**53 + number,
            "layer_count": 2,
            "tag_count": 1,
            "tags": [f'v{number}"'],
            "created_at": START,
        }
        for number in range(count)
    ]
    layers = [
        {
            "image_id": image["image_id"],
            "position": position,
            "registry_id": "registry",
            "repository_name": "registry/app",
            "digest": f"sha256:{position:064x}",
            "size": 1000 + position,
            "urls": [],
        }
        for image in images
        for position in range(2)
    ]
    return {"images": images, "layers": layers}


def stage(
    staging: Path,
    *,
    images: int = 5,
    mark: str = "a",
    formats: Sequence[Format] = ("parquet", "ndjson"),
) -> list[StagedFile]:
    """Write every table below `staging`, most of them empty, and return the files."""
    rows = image_rows(images, mark)
    staged = []
    for table in TABLES.values():
        content = pa.Table.from_pylist(rows.get(table.name, []), schema=table.schema)
        parquet = write_table(staging, table, [content])
        if "parquet" in formats:
            staged.append(parquet)
        if "ndjson" in formats:
            staged += write_ndjson([parquet.path], table, staging)
    return staged


def draft(
    snapshot_id: str, *, status: Status = "complete", started_at: datetime = START, images: int = 5
) -> Manifest:
    """Return a manifest without files."""
    return Manifest(
        generator="registry-exporter 0.0.0",
        snapshot_id=snapshot_id,
        status=status,
        started_at=started_at,
        finished_at=started_at,
        source={"profile": "nebius-il"},
        scope={"registries": ["registry"]},
        totals={"image_count": images, "stored_size": 2001, "complete": status == "complete"},
        coverage={"complete": 1},
        requests=Requests(calls=1, retries=0, throttled=0, bytes=100),
    )


def files_named_by(manifest: bytes) -> list[dict[str, Any]]:
    """Return the `files` of a manifest, read as plain JSON."""
    return [file for table in json.loads(manifest)["tables"].values() for file in table["files"]]


def assert_intact(output: Path, manifest: bytes) -> None:
    """Assert that every file a manifest names is there, byte for byte."""
    files = files_named_by(manifest)
    assert files
    for file in files:
        content = (output / file["path"]).read_bytes()
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


def assert_truthful(output: Path) -> list[str]:
    """Assert what readers rely on at every instant; return the ids of the snapshots there are.

    Every manifest has its sum beside it, and files as it says; so has `latest.json`, which
    names a complete snapshot.
    """
    ids = []
    for path in sorted((output / "manifests").glob("*.json")):
        manifest = path.read_bytes()
        assert_intact(output, manifest)
        content = json.loads(manifest)
        if path.name == "latest.json":
            assert content["status"] == "complete"
            continue
        ids.append(content["snapshot_id"])
        assert path.stem == content["snapshot_id"]
        sums = path.with_name(f"{path.name}.sha256").read_text()
        assert f"{hashlib.sha256(manifest).hexdigest()}  {path.name}\n" in sums
    return ids


def data_files(output: Path) -> set[str]:
    """Return the paths of all files in the folders of the formats."""
    return {
        path.relative_to(output).as_posix()
        for path in output.rglob("*")
        if path.is_file() and re.match("(parquet|ndjson)/", path.relative_to(output).as_posix())
    }


def snapshot_of(output: Path, name: str = "latest") -> dict[str, Any]:
    """Return a manifest as plain JSON."""
    content: dict[str, Any] = json.loads((output / "manifests" / f"{name}.json").read_bytes())
    return content
