"""The catalog: which snapshots a destination holds, and which one `latest.json` names."""

from __future__ import annotations

import math
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from exporter.errors import IntegrityError
from exporter.snapshot.destination import Destination
from exporter.snapshot.layout import LATEST, SUFFIX, manifest_path, published_path
from exporter.snapshot.manifest import Manifest
from exporter.tables import TABLES

_READERS = 8


@dataclass(frozen=True)
class SnapshotInfo:
    """What a list of snapshots shows of one; all that is unknown of a broken one is None.

    `stored_size` is the estate's stored bytes by `size_totals`; `bytes` what the snapshot's
    own files take; `reason` says what is wrong with the manifest of a broken one.
    """

    snapshot_id: str
    status: Literal["complete", "partial", "broken"]
    started_at: datetime | None = None
    finished_at: datetime | None = None
    images: int | None = None
    stored_size: int | None = None
    bytes: int | None = None
    is_latest: bool = False
    reason: str = ""


def snapshots(destination: Destination) -> list[SnapshotInfo]:
    """Return the snapshots of a destination, newest first, broken ones at the end.

    A manifest that cannot be read is one broken snapshot, not a failure of the list; a
    destination that does not exist holds none. Raises `OutputError`.
    """
    latest = _latest_id(destination)
    infos = [
        SnapshotInfo(snapshot_id, "broken", is_latest=snapshot_id == latest, reason=str(read))
        if isinstance(read, IntegrityError)
        else _info(read, is_latest=snapshot_id == latest)
        for snapshot_id, (_, read) in _read_all(destination).items()
    ]
    return sorted(infos, key=_age, reverse=True)


def read_manifest(destination: Destination, snapshot_id: str) -> Manifest | None:
    """Return a snapshot's manifest, None where there is none; raises `IntegrityError`."""
    data = destination.read(manifest_path(snapshot_id))
    return None if data is None else _parse(data, snapshot_id)


def readable_manifests(destination: Destination) -> tuple[list[Manifest], list[str]]:
    """Return the manifests that can be read, and the ids of the snapshots whose cannot."""
    every = _read_all(destination)
    good = [read for _, read in every.values() if isinstance(read, Manifest)]
    bad = [name for name, (_, read) in every.items() if isinstance(read, IntegrityError)]
    return good, bad


def point_latest(destination: Destination, without: Collection[str] = ()) -> None:
    """Make `latest.json` a copy of the newest complete snapshot's manifest.

    The newest is the one that started last, then the one whose id sorts last. Snapshots of
    `without` do not count, for they are about to be removed; where none is left, there is no
    `latest.json`. All manifests are read, so whatever a killed run left undone is mended.
    """
    complete = [
        (read.started_at, snapshot_id, data)
        for snapshot_id, (data, read) in _read_all(destination).items()
        if isinstance(read, Manifest) and read.status == "complete" and snapshot_id not in without
    ]
    if not complete:
        destination.delete(LATEST)
        return
    newest = max(complete)[2]
    if destination.read(LATEST) != newest:
        destination.write_atomically(LATEST, newest)


def snapshot_files(destination: Destination, snapshot_id: str) -> list[str]:
    """Return every file in the folders of a snapshot, named by its manifest or not."""
    folders = [
        published_path(snapshot_id, table, "", format_).rstrip("/")
        for format_ in SUFFIX
        for table in TABLES
    ]
    with ThreadPoolExecutor(destination.parallel) as pool:
        return [entry.path for found in pool.map(destination.list, folders) for entry in found]


def _read_all(destination: Destination) -> dict[str, tuple[bytes, Manifest | IntegrityError]]:
    paths = [
        entry.path
        for entry in destination.list("manifests")
        if entry.path.endswith(".json")
        and entry.path != LATEST
        and not entry.path.startswith("manifests/.")
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        contents = list(pool.map(destination.read, paths))
    found: dict[str, tuple[bytes, Manifest | IntegrityError]] = {}
    for path, data in zip(paths, contents, strict=True):
        if data is None:
            continue  # Removed since it was listed.
        snapshot_id = path.removeprefix("manifests/").removesuffix(".json")
        try:
            found[snapshot_id] = (data, _parse(data, snapshot_id))
        except IntegrityError as error:
            found[snapshot_id] = (data, error)
    return found


def _parse(data: bytes, snapshot_id: str) -> Manifest:
    manifest = Manifest.parse(data, manifest_path(snapshot_id))
    if manifest.snapshot_id != snapshot_id:
        raise IntegrityError(
            f"{manifest_path(snapshot_id)} is the manifest of another snapshot, "
            f"{manifest.snapshot_id}."
        )
    return manifest


def _latest_id(destination: Destination) -> str | None:
    data = destination.read(LATEST)
    try:
        return None if data is None else Manifest.parse(data, LATEST).snapshot_id
    except IntegrityError:
        return None


def _age(info: SnapshotInfo) -> tuple[float, str]:
    return (info.started_at.timestamp() if info.started_at else -math.inf, info.snapshot_id)


def _info(manifest: Manifest, *, is_latest: bool) -> SnapshotInfo:
    images, stored = manifest.totals.get("image_count"), manifest.totals.get("stored_size")
    return SnapshotInfo(
        snapshot_id=manifest.snapshot_id,
        status=manifest.status,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        images=images if isinstance(images, int) else None,
        stored_size=stored if isinstance(stored, int) else None,
        bytes=sum(file.bytes for file in manifest.files),
        is_latest=is_latest,
    )
