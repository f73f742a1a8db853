"""What an Iceberg table no longer needs: files of killed loads, and snapshots that have expired.

Pyiceberg takes expired snapshots out of the metadata, and leaves their files. They are removed here
as Iceberg's `expireSnapshots` does: what an expired snapshot reaches, and no other one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from exporter.load.file_names import is_left_over, loader_of
from exporter.storage.destination import Entry

_MAX_AGE = ("history.expire.max-snapshot-age-ms", str(5 * 24 * 3600 * 1000))
_MIN_KEPT = ("history.expire.min-snapshots-to-keep", "1")
"""Iceberg's properties of a table, and its own defaults."""


def left_over(table: Table, files: Iterable[Entry], *, is_exclusive: bool) -> list[Entry]:
    """Return the files of killed loads among a table's data files.

    They have names of ours, and no snapshot of the table refers to them.
    """
    ours = [one for one in files if loader_of(one.path)]
    old = [one for one in ours if is_left_over(one, is_exclusive=is_exclusive)]
    current = table.current_snapshot()
    if old and current is not None:
        old = _unreferenced(old, table, [current])
    return _unreferenced(old, table, table.snapshots()) if old else []


def expire(table: Table) -> list[str]:
    """Expire the snapshots that the table's properties keep no longer.

    Returns the files that no snapshot refers to any more, which are to be removed.
    """
    gone = _expired(table)
    if not gone:
        return []
    ids = {one.snapshot_id for one in gone}
    kept = [one for one in table.snapshots() if one.snapshot_id not in ids]
    there = {one.manifest_path for snapshot in kept for one in snapshot.manifests(table.io)}
    manifests = {
        one.manifest_path: one
        for snapshot in gone
        for one in snapshot.manifests(table.io)
        if one.manifest_path not in there
    }
    data = {path for one in manifests.values() for path in _data_files(table, one, deleted=True)}
    data -= _data_files_of(table, kept) if data else set()
    table.maintenance.expire_snapshots().by_ids(sorted(ids)).commit()
    if table.properties.get("gc.enabled", "true") == "false":
        return []
    return [*sorted(data), *manifests, *(one.manifest_list for one in gone)]


def _expired(table: Table) -> list[Snapshot]:
    now = datetime.now(UTC)
    oldest = now.timestamp() * 1000 - int(table.properties.get(*_MAX_AGE))
    fewest = int(table.properties.get(*_MIN_KEPT))
    line = list(ancestors_of(table.current_snapshot(), table.metadata))
    kept = {one.snapshot_id for one in line[:fewest]}
    kept |= {ref.snapshot_id for ref in table.metadata.refs.values()}
    return [
        one
        for one in table.snapshots()
        if one.timestamp_ms < oldest and one.snapshot_id not in kept
    ]


def _unreferenced(files: list[Entry], table: Table, snapshots: Iterable[Snapshot]) -> list[Entry]:
    """Return the files that none of the snapshots has; their names are one of a kind."""
    there = {_name(path) for path in _data_files_of(table, snapshots)}
    return [one for one in files if _name(one.path) not in there]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _data_files_of(table: Table, snapshots: Iterable[Snapshot]) -> set[str]:
    """Return the data files of snapshots; a manifest that several have is read once."""
    manifests = {
        one.manifest_path: one for snapshot in snapshots for one in snapshot.manifests(table.io)
    }
    return {path for one in manifests.values() for path in _data_files(table, one)}


def _data_files(table: Table, manifest: ManifestFile, *, deleted: bool = False) -> set[str]:
    """Return the data files of a manifest, with those that it says were removed if `deleted`."""
    entries = manifest.fetch_manifest_entry(table.io, discard_deleted=not deleted)
    return {entry.data_file.file_path for entry in entries}
