"""`latest.json`: the copy of the newest complete snapshot's manifest, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection

from exporter.errors import IntegrityError
from exporter.snapshots.layout import LATEST, manifest_path
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import Manifests, newest_sound, parsed, read_all
from exporter.storage.destination import Destination

CORRECTED = (
    "an export that was killed while it published may have left it so, and the next complete one, "
    "or `registry-exporter prune`, corrects it"
)
"""For messages: why a `latest.json` may be wrong, and what corrects it."""


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
        every = read_all(destination)
        newest = newest_sound(every, without)
        if newest is None:
            if there.data is not None:
                destination.delete(LATEST)
            return
        if there.data == every[newest][0] or destination.replace(LATEST, every[newest][0], there):
            return


def latest_manifest(destination: Destination) -> Manifest | None:
    """Return the manifest in `latest.json`, None if there is none that can be read."""
    return _latest(destination.read(LATEST))


def false_latest(destination: Destination, snapshot_id: str) -> str:
    """Return what is wrong with a `latest.json` that names this snapshot, empty if nothing is.

    It is right if it names another snapshot, or is a copy of this one's manifest and the snapshot
    is complete. Raises `OutputError`.
    """
    latest, data = destination.read(LATEST), destination.read(manifest_path(snapshot_id))
    if data is None or named_in(latest) != snapshot_id:
        return ""
    every = {snapshot_id: (data, parsed(data, snapshot_id))}
    return "" if latest == data and newest_sound(every) else _latest_is(latest, every)


def latest_problem(latest: bytes | None, every: Manifests, newest: str | None) -> str:
    """Return what is wrong with a `latest.json` that should name `newest`, empty if nothing is."""
    if latest == (None if newest is None else every[newest][0]):
        return ""
    if newest is None:
        return f"{_latest_is(latest, every)}; no snapshot is complete, so it should not be there"
    return f"{_latest_is(latest, every)}; it should be a copy of {manifest_path(newest)}"


def _latest_is(latest: bytes | None, every: Manifests) -> str:
    """Return what is wrong with a `latest.json`, as a clause."""
    named = named_in(latest)
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


def named_in(latest: bytes | None) -> str | None:
    """Return the id that a `latest.json` names, None if it does not exist or cannot be read."""
    manifest = _latest(latest)
    return None if manifest is None else manifest.snapshot_id


def _latest(data: bytes | None) -> Manifest | None:
    try:
        return None if data is None else Manifest.parse(data, LATEST)
    except IntegrityError:
        return None
