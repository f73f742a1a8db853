"""Three nights to read with every engine: two complete ones and a partial one, the newest.

A folder of files that no manifest names lies beside them, as an export leaves it that was killed.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.snapshots.manifest import Manifest
from exporter.staging.layout import Format
from exporter.tables.schemas import TABLES
from tests.answers.estates import publish_estate
from tests.derive.estates import Blob, Image, Row, World, digest

FIRST, SECOND, PARTIAL = "2026-11-21", "2026-11-22", "20261123"
"""Ids that a reader takes for dates and numbers if it guesses."""
HOSTILE = "a'b\"c\\d\n\te 😀 é -- ; $$ %s {x} \\u0000 \x7f"
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def cloud(labels: dict[str, str | None] | None, *, description: str = HOSTILE) -> Row:
    """Return a row of `clouds`."""
    return {
        "cloud_id": "c1",
        "name": "",
        "description": description,
        "labels": None if labels is None else list(labels.items()),
        "created_at": EARLIEST,
    }


def world(*images: Image, **more: Any) -> World:
    """Return a world of one registry with these images."""
    return World(
        images=images,
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=(("r1", "f1", "c1"),),
        repositories=("r1/a",),
        **more,
    )


IMAGES = (
    Image(
        "i1",
        "r1/a",
        (Blob(digest(1), 2**53 + 11, urls=("https://a.example/'x'", HOSTILE)), Blob(digest(1))),
        Blob(digest(2), 7),
        (HOSTILE, "v1", "😀"),
        created_at=EARLIEST,
    ),
    Image("i2", f"r1/{HOSTILE}", (Blob(None, 0),), created_at=LATEST),
    Image("i3", "r1/a", created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
    Image("i4", "r1/a", created_at=None),
    # Its registry was not listed, so its blob has no registry_id: null in a key.
    Image("i5", "r2/a", (Blob(digest(3), 5),), tags=("v1",), created_at=EARLIEST),
)


def publish_nights(output: Path, *, nul: bool = True) -> dict[str, Manifest]:
    """Publish the nights, and return their manifests by id; `nul`: with U+0000 in a text."""
    formats: tuple[Format, ...] = ("parquet", "ndjson")
    hostile = HOSTILE + "\0" if nul else HOSTILE
    manifests = {
        FIRST: publish_estate(
            output,
            FIRST,
            world(*IMAGES),
            formats=formats,
            clouds=[cloud({"k'\"": hostile, "empty": "", "null": None}, description=hostile)],
        ),
        SECOND: publish_estate(
            output, SECOND, world(*IMAGES[1:]), night=1, formats=formats, clouds=[cloud({})]
        ),
        PARTIAL: publish_estate(
            output,
            PARTIAL,
            world(*IMAGES[2:], coverage=(("images", "r1", "denied"),)),
            night=2,
            formats=formats,
        ),
    }
    assert [one.status for one in manifests.values()] == ["complete", "complete", "partial"]
    for table in TABLES:
        files = output / "parquet" / table
        shutil.copytree(files / f"snapshot_id={FIRST}", files / "snapshot_id=unpublished")
    return manifests


def rows_of(output: Path, table: str, snapshot_id: str) -> list[Row]:
    """Return a table's rows as the published files have them, with the snapshot they are of."""
    files = sorted((output / "parquet" / table / f"snapshot_id={snapshot_id}").glob("*.parquet"))
    read = pa.concat_tables(pq.ParquetFile(one).read() for one in files)
    return [{"snapshot_id": snapshot_id} | row for row in read.to_pylist(maps_as_pydicts="strict")]


def ordered(rows: list[Row]) -> list[Row]:
    """Return rows in an order that their values alone decide."""
    return sorted(rows, key=repr)
