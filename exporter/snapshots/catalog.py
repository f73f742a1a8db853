"""The catalog: which snapshots a destination holds, and which one `latest.json` names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from exporter.errors import IntegrityError
from exporter.snapshots.identity import Identity, identity, subject
from exporter.snapshots.latest import latest_problem, named_in
from exporter.snapshots.layout import LATEST, published_path, report_path
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import complete_manifests, newest_sound, read_all
from exporter.staging.layout import SUFFIX
from exporter.staging.unfinished import Complete, Published
from exporter.storage.destination import Destination
from exporter.tables.schemas import TABLES

_CLOCKS_DIFFER = timedelta(minutes=5)


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
    latest, every = destination.read(LATEST), read_all(destination)
    while (now := destination.read(LATEST)) != latest:  # A run has published in the meantime.
        latest, every = now, read_all(destination)
    newest = newest_sound(every)
    problem = latest_problem(latest, every, newest)
    standing = complete_manifests(every)
    own = identity(standing[0].source, standing[0].scope) if standing else None
    infos = [
        SnapshotInfo(snapshot_id, "broken", reason=str(read))
        if isinstance(read, IntegrityError)
        else _info(read, is_latest=snapshot_id == newest and not problem, own=own)
        for snapshot_id, (_, read) in every.items()
    ]
    ordered = sorted(infos, key=lambda info: info.order, reverse=True)
    return Catalog(ordered, named_in(latest), newest, problem)


def holdings(destination: Destination) -> tuple[list[Manifest], Published]:
    """Return the manifests of the complete snapshots, and a summary of all for the staging.

    The snapshots that may be the latest come before the others, each group newest first by
    publication. The first one's source and scope are the output's own. Raises `OutputError`.
    """
    every = read_all(destination)
    complete = complete_manifests(every)
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


def snapshots(destination: Destination) -> list[SnapshotInfo]:
    """Return the snapshots of a destination as `catalog` does."""
    return catalog(destination).snapshots


def reports(destination: Destination, snapshot_id: str) -> list[str]:
    """Return the report about a snapshot if there is one; it is no file of the snapshot."""
    path = report_path(snapshot_id)
    return [] if destination.size(path) is None else [path]


def snapshot_files(destination: Destination, snapshot_id: str) -> list[str]:
    """Return every file in the folders of a snapshot, named by its manifest or not."""
    folders = [
        published_path(snapshot_id, table, "", format_).rstrip("/")
        for format_ in SUFFIX
        for table in TABLES
    ]
    with ThreadPoolExecutor(destination.parallel) as pool:
        return [entry.path for found in pool.map(destination.list, folders) for entry in found]


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
