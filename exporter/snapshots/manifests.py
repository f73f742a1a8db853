"""The manifests of a destination: all of them, the readable ones, the complete ones."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from exporter.errors import IntegrityError
from exporter.snapshots.layout import LATEST, manifest_path
from exporter.snapshots.manifest import Manifest
from exporter.storage.destination import Destination

_READERS = 8

Manifests = dict[str, tuple[bytes, Manifest | IntegrityError]]
"""Manifests by snapshot id: their bytes, and the manifest in them or why there is none."""


def read_all(destination: Destination) -> Manifests:
    """Return all manifests of a destination; one that does not exist has none.

    Raises `OutputError`.
    """
    paths = [
        entry.path
        for entry in destination.list("manifests")
        if entry.path.endswith(".json")
        and entry.path != LATEST
        and not entry.path.startswith("manifests/.")
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        contents = list(pool.map(destination.read, paths))
    found: Manifests = {}
    for path, data in zip(paths, contents, strict=True):
        if data is None:
            continue  # Removed after it was listed.
        snapshot_id = path.removeprefix("manifests/").removesuffix(".json")
        found[snapshot_id] = (data, parsed(data, snapshot_id))
    return found


def read_manifest(destination: Destination, snapshot_id: str) -> Manifest | None:
    """Return a snapshot's manifest, None if there is none; raises `IntegrityError`."""
    data = destination.read(manifest_path(snapshot_id))
    return None if data is None else _parse(data, snapshot_id)


def readable_manifests(destination: Destination) -> tuple[list[Manifest], list[str]]:
    """Return the readable manifests, and the ids of the snapshots with an unreadable one."""
    every = read_all(destination)
    good = [read for _, read in every.values() if isinstance(read, Manifest)]
    bad = [name for name, (_, read) in every.items() if isinstance(read, IntegrityError)]
    return good, bad


def next_publication(destination: Destination) -> int:
    """Return the number of the next publication at a destination; raises `OutputError`."""
    manifests, _ = readable_manifests(destination)
    return 1 + max((one.publication for one in manifests), default=0)


def complete_manifests(every: Manifests) -> list[Manifest]:
    """Return the manifests of the complete snapshots.

    Those that may be the latest come before the others, each group newest first by publication.
    """
    manifests = [read for _, read in every.values() if isinstance(read, Manifest)]
    whole = [one for one in manifests if one.status == "complete"]
    return sorted(whole, key=lambda one: (one.is_sound, one.order), reverse=True)


def newest_sound(every: Manifests, without: Collection[str] = ()) -> str | None:
    """Return the id that `latest.json` should name: the newest snapshot that may be the latest.

    It is None if there is none. Snapshots of `without` do not count.
    """
    sound = [
        one for one in complete_manifests(every) if one.is_sound and one.snapshot_id not in without
    ]
    return sound[0].snapshot_id if sound else None


def parsed(data: bytes, snapshot_id: str) -> Manifest | IntegrityError:
    """Return the manifest in the bytes of a snapshot's file, or why there is none."""
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
