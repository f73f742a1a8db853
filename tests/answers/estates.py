"""Snapshots published from a made-up estate in a moment, without a crawl.

Rows are those of `tests.derive.estates`; derivation and publication are the program's own.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from exporter.derive.conclude import conclude, total_row
from exporter.snapshots.manifest import Manifest, Requests, plain_row
from exporter.snapshots.publish import publish
from exporter.staging.layout import Format, staged_parts
from exporter.storage.destination import Destination
from exporter.storage.opening import open_destination
from exporter.tables.schemas import COMPLETE_STATUSES, TABLES
from tests.derive.estates import START, Row, World, registry, rows_of, stage, write

SOURCE = {"profile": "nebius-il", "domain": "registries.example"}
NIGHT = timedelta(days=1)
PARQUET: tuple[Format, ...] = ("parquet",)


def covered(world: World) -> World:
    """Return the estate with a row of coverage for every listing, complete where it names none."""
    named = {(listing, parent): status for listing, parent, status in world.coverage}
    registries = [one for one, _, _ in world.registries]
    if world.visible is not None:
        return replace(world, coverage=_covered_oci(world, registries, named))
    every = [
        ("clouds", "*"),
        *(("folders", cloud) for cloud in world.clouds),
        *(("registries", folder) for folder, _ in world.folders),
        *(("repositories", one) for one in registries),
        *(("images", one) for one in registries),
    ]
    full = dict.fromkeys(every, "complete") | named
    return replace(world, coverage=tuple((*each, status) for each, status in full.items()))


def _covered_oci(
    world: World, registries: Collection[str], named: dict[tuple[str, str], str]
) -> tuple[tuple[str, str, str], ...]:
    """Return the rows of OCI registries: of each, and of each of their repositories."""
    full = {("repositories", one): "complete" for one in registries}
    for name in world.repositories:
        sees_untagged = registry(name) in (world.visible or ())
        full |= {(listing, name): "complete" for listing in ("tags", "manifests", "configs")}
        full["untagged", name] = "complete" if sees_untagged else "skipped"
    return tuple((*each, status) for each, status in (full | named).items())


def publish_estate(
    output: Path | str | Destination,
    snapshot_id: str,
    world: World,
    *,
    night: int = 0,
    started_at: datetime | None = None,
    source: Mapping[str, Any] = SOURCE,
    scope: Mapping[str, Any] | None = None,
    left_out: Collection[tuple[str, str]] = (),
    formats: Collection[Format] = PARQUET,
    clouds: Sequence[Row] = (),
) -> Manifest:
    """Publish an estate as a snapshot, and return its manifest.

    A listing that `world.coverage` does not name is complete. The run starts `night` days after
    `START`, or at `started_at`, and takes a minute. `left_out` are the scopes, by kind and id, that
    a repository pattern left something out of. `clouds` are rows of that table, in place of the
    world's.
    """
    world = covered(world)
    destination = output if isinstance(output, Destination) else open_destination(str(output))
    start = started_at or START + night * NIGHT
    with tempfile.TemporaryDirectory() as folder:
        staging = stage(Path(folder), world)
        if clouds:
            write(staging, "clouds", [list(clouds)])
        rows = [dict.fromkeys(TABLES["coverage"].schema.names) | row for row in _coverage(world)]
        coverage = pa.Table.from_pylist(rows, schema=TABLES["coverage"].schema)
        files = conclude(staging, {}, lambda _rows: coverage, formats, left_out=left_out)
        counts = Counter(status for _, _, status in world.coverage)
        manifest = Manifest(
            generator="registry-exporter/0",
            snapshot_id=snapshot_id,
            status="complete" if counts.keys() <= COMPLETE_STATUSES else "partial",
            started_at=start,
            finished_at=start + timedelta(minutes=1),
            source=dict(source),
            scope=dict(scope or {}),
            totals=plain_row(total_row(staged_parts(staging, "size_totals"))),
            coverage=dict(counts),
            requests=Requests(calls=1, retries=0, throttled=0, bytes=1),
        )
        return publish(destination, manifest, files, staging=staging)


def _coverage(world: World) -> list[dict[str, Any]]:
    return rows_of(world)["coverage"]
