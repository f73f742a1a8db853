"""The catalog: which snapshots a destination holds, and which one `latest.json` names."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from exporter.errors import IntegrityError
from exporter.snapshots.identity import Identity, identity, subject
from exporter.snapshots.layout import LATEST, manifest_path, published_path
from exporter.snapshots.manifest import Manifest
from exporter.staging.layout import SUFFIX
from exporter.staging.unfinished import Complete, Published
from exporter.storage.destination import Destination
from exporter.tables.schemas import TABLES

MENDED = (
    "an export that was killed while it published may have left it so, and the next complete one, "
    "or `registry-exporter prune`, mends it"
)
"""For messages: why a `latest.json` may be wrong, and what corrects it."""
_READERS = 8
_CLOCKS_DIFFER = timedelta(minutes=5)

_Manifests = dict[str, tuple[bytes, Manifest | IntegrityError]]
"""Manifests by snapshot id: their bytes, and the manifest in them or why there is none."""


@dataclass(frozen=True)
class SnapshotInfo:
    """A snapshot in a list; values that are unknown of a broken one are None.

    `stored_size` is the total of `size_totals`, `bytes` the size of the snapshot's own files.
    `is_latest` is true if `latest.json` is a copy of its manifest, and should be. `is_own` is true
    if it is of the output's own source and scope. `is_sound` and `publication` are as in
    `Manifest`. `from_future` is true if its times are ahead of this machine's clock. `reason` says
    what is wrong with a broken manifest.
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
    source: Mapping[str, Any] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)
    is_own: bool = True
    is_sound: bool = False
    from_future: bool = False
    publication: int = 0

    @property
    def order(self) -> tuple[int, float, str]:
        """The sort key by publication: the newest last, broken ones first."""
        time = self.finished_at or self.started_at
        return (
            -1 if time is None else self.publication,
            time.timestamp() if time else -math.inf,
            self.snapshot_id,
        )


@dataclass(frozen=True)
class Catalog:
    """The snapshots of a destination, newest first, broken ones at the end; and its `latest.json`.

    `named` is the id that `latest.json` names, None if it does not exist or cannot be read.
    `newest` is the id that it should name (`newest_sound`), None if no snapshot may be the latest.
    `latest_problem` says what is wrong with `latest.json`, empty if nothing is.
    """

    snapshots: list[SnapshotInfo]
    named: str | None
    newest: str | None
    latest_problem: str


def catalog(destination: Destination) -> Catalog:
    """Return the snapshots of a destination.

    A manifest that cannot be read is one broken snapshot, not a failure of the list. A destination
    that does not exist has none. Raises `OutputError`.
    """
    latest, every = destination.read(LATEST), _read_all(destination)
    while (now := destination.read(LATEST)) != latest:  # A run has published in the meantime.
        latest, every = now, _read_all(destination)
    newest = _newest_sound(every)
    problem = _latest_problem(latest, every, newest)
    standing = _complete(every)
    own = identity(standing[0].source, standing[0].scope) if standing else None
    infos = [
        SnapshotInfo(snapshot_id, "broken", reason=str(read))
        if isinstance(read, IntegrityError)
        else _info(read, is_latest=snapshot_id == newest and not problem, own=own)
        for snapshot_id, (_, read) in every.items()
    ]
    ordered = sorted(infos, key=lambda info: info.order, reverse=True)
    return Catalog(ordered, _named(latest), newest, problem)


def holdings(destination: Destination) -> tuple[list[Manifest], Published]:
    """Return the manifests of the complete snapshots, and a summary of all for the staging.

    The snapshots that may be the latest come before the others, each group newest first by
    publication. The first one's source and scope are the output's own. Raises `OutputError`.
    """
    every = _read_all(destination)
    complete = _complete(every)
    return complete, published(every, complete)


def published(
    snapshot_ids: Iterable[str], complete: Iterable[Manifest | SnapshotInfo]
) -> Published:
    """Return the summary for the staging of an output with these snapshots."""
    return Published(
        frozenset(snapshot_ids),
        tuple(
            Complete(one.snapshot_id, subject(one.source, one.scope), one.publication)
            for one in complete
        ),
    )


def next_publication(destination: Destination) -> int:
    """Return the number of the next publication at a destination; raises `OutputError`."""
    manifests, _ = readable_manifests(destination)
    return 1 + max((one.publication for one in manifests), default=0)


def snapshots(destination: Destination) -> list[SnapshotInfo]:
    """Return the snapshots of a destination as `catalog` does."""
    return catalog(destination).snapshots


def false_latest(destination: Destination, snapshot_id: str) -> str:
    """Return what is wrong with a `latest.json` that names this snapshot, empty if nothing is.

    It is right if it names another snapshot, or is a copy of this one's manifest and the snapshot
    is complete. Raises `OutputError`.
    """
    latest, data = destination.read(LATEST), destination.read(manifest_path(snapshot_id))
    if data is None or _named(latest) != snapshot_id:
        return ""
    every = {snapshot_id: (data, _try(data, snapshot_id))}
    return "" if latest == data and _newest_sound(every) else _latest_is(latest, every)


def read_manifest(destination: Destination, snapshot_id: str) -> Manifest | None:
    """Return a snapshot's manifest, None if there is none; raises `IntegrityError`."""
    data = destination.read(manifest_path(snapshot_id))
    return None if data is None else _parse(data, snapshot_id)


def latest_manifest(destination: Destination) -> Manifest | None:
    """Return the manifest in `latest.json`, None if there is none that can be read."""
    return _latest(destination.read(LATEST))


def readable_manifests(destination: Destination) -> tuple[list[Manifest], list[str]]:
    """Return the readable manifests, and the ids of the snapshots with an unreadable one."""
    every = _read_all(destination)
    good = [read for _, read in every.values() if isinstance(read, Manifest)]
    bad = [name for name, (_, read) in every.items() if isinstance(read, IntegrityError)]
    return good, bad


def point_latest(destination: Destination, without: Collection[str] = ()) -> None:
    """Make `latest.json` a copy of the manifest of the newest complete snapshot.

    The newest is the one that was published last (`Manifest.order`) among those that may be the
    latest (`Manifest.is_sound`). Snapshots of `without` do not count, because they are about to be
    removed. If none is left, `latest.json` is removed. All manifests are read, so this also
    finishes what a killed run left undone. If another run changes `latest.json` meanwhile, all is
    read again.
    """
    while True:
        there = destination.read_version(LATEST)
        every = _read_all(destination)
        newest = _newest_sound(every, without)
        if newest is None:
            if there.data is not None:
                destination.delete(LATEST)
            return
        if there.data == every[newest][0] or destination.replace(LATEST, every[newest][0], there):
            return


def snapshot_files(destination: Destination, snapshot_id: str) -> list[str]:
    """Return every file in the folders of a snapshot, named by its manifest or not."""
    folders = [
        published_path(snapshot_id, table, "", format_).rstrip("/")
        for format_ in SUFFIX
        for table in TABLES
    ]
    with ThreadPoolExecutor(destination.parallel) as pool:
        return [entry.path for found in pool.map(destination.list, folders) for entry in found]


def _read_all(destination: Destination) -> _Manifests:
    paths = [
        entry.path
        for entry in destination.list("manifests")
        if entry.path.endswith(".json")
        and entry.path != LATEST
        and not entry.path.startswith("manifests/.")
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        contents = list(pool.map(destination.read, paths))
    found: _Manifests = {}
    for path, data in zip(paths, contents, strict=True):
        if data is None:
            continue  # Removed after it was listed.
        snapshot_id = path.removeprefix("manifests/").removesuffix(".json")
        found[snapshot_id] = (data, _try(data, snapshot_id))
    return found


def _try(data: bytes, snapshot_id: str) -> Manifest | IntegrityError:
    try:
        return _parse(data, snapshot_id)
    except IntegrityError as error:
        return error


def _parse(data: bytes, snapshot_id: str) -> Manifest:
    manifest = Manifest.parse(data, manifest_path(snapshot_id))
    if manifest.snapshot_id != snapshot_id:
        raise IntegrityError(
            f"{manifest_path(snapshot_id)} is the manifest of another snapshot, "
            f"{manifest.snapshot_id}."
        )
    return manifest


def _newest_sound(every: _Manifests, without: Collection[str] = ()) -> str | None:
    sound = [one for one in _complete(every) if one.is_sound and one.snapshot_id not in without]
    return sound[0].snapshot_id if sound else None


def _complete(every: _Manifests) -> list[Manifest]:
    manifests = [read for _, read in every.values() if isinstance(read, Manifest)]
    complete = [one for one in manifests if one.status == "complete"]
    return sorted(complete, key=lambda one: (one.is_sound, one.order), reverse=True)


def _named(latest: bytes | None) -> str | None:
    manifest = _latest(latest)
    return None if manifest is None else manifest.snapshot_id


def _latest(data: bytes | None) -> Manifest | None:
    try:
        return None if data is None else Manifest.parse(data, LATEST)
    except IntegrityError:
        return None


def _latest_problem(latest: bytes | None, every: _Manifests, newest: str | None) -> str:
    if latest == (None if newest is None else every[newest][0]):
        return ""
    if newest is None:
        return f"{_latest_is(latest, every)}; no snapshot is complete, so it should not be there"
    return f"{_latest_is(latest, every)}; it should be a copy of {manifest_path(newest)}"


def _latest_is(latest: bytes | None, every: _Manifests) -> str:
    """Return what is wrong with a `latest.json`, as a clause."""
    named = _named(latest)
    if named is None:
        return "is missing" if latest is None else "cannot be read"
    data, read = every.get(named, (None, None))
    if data is None:
        return f"names {named}, which is no snapshot that there is"
    if isinstance(read, IntegrityError):
        return f"names {named}, the manifest of which is broken"
    if data != latest:
        return f"names {named}, and is not the same as its manifest"
    if isinstance(read, Manifest) and not read.is_sound:
        partial = read.status == "partial"
        return f"names {named}, " + (
            "which is partial" if partial else "of which a part vanished while it was listed"
        )
    return f"names {named}, which is not the newest complete one"


def _info(manifest: Manifest, *, is_latest: bool, own: Identity | None) -> SnapshotInfo:
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
        source=manifest.source,
        scope=manifest.scope,
        is_own=own in (None, identity(manifest.source, manifest.scope)),
        is_sound=manifest.is_sound,
        from_future=is_from_future(manifest),
        publication=manifest.publication,
    )


def is_from_future(manifest: Manifest) -> bool:
    """Return whether a snapshot's times are ahead of this machine's clock."""
    return max(manifest.started_at, manifest.finished_at) > datetime.now(UTC) + _CLOCKS_DIFFER
