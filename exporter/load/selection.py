"""Which snapshots of an output a load brings into a warehouse, and which a prune removes there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from exporter.errors import SettingsError
from exporter.load.warehouse import LoadedSnapshot
from exporter.snapshots.identity import Identity, identity
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import readable_manifests
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.selection import read_snapshot, snapshots_of_source
from exporter.storage.destination import Destination
from exporter.wording import switch

NEW = "new"
"""The name of every complete snapshot of the output's own that the warehouse does not have."""


@dataclass(frozen=True)
class Selection:
    """What is asked of an output, before the warehouse is known.

    `named` are loaded in any case, `candidates` unless the warehouse has them; both oldest first by
    publication. `partial` are the ids of the output's own partial snapshots that are left out,
    `unreadable` those of manifests that cannot be read.
    """

    named: tuple[Snapshot, ...] = ()
    candidates: tuple[Snapshot, ...] = ()
    partial: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def to_load(self, loaded: Mapping[str, LoadedSnapshot]) -> list[Snapshot]:
        """Return the snapshots to load, oldest first, given those that the warehouse has.

        A candidate that was published anew under its id is loaded again.
        """
        wanted = {one.manifest.snapshot_id: one for one in self.named}
        for one in self.candidates:
            there = loaded.get(one.manifest.snapshot_id)
            if there is None or not there.is_of(one.manifest):
                wanted.setdefault(one.manifest.snapshot_id, one)
        return sorted(wanted.values(), key=lambda one: one.manifest.order)


def select(destination: Destination, names: Collection[str], *, partial: bool) -> Selection:
    """Find the snapshots that names mean: `new`, `latest`, or ids.

    With `new`, the output's own are those of the source and scope of its newest complete snapshot;
    with `partial`, its partial ones are among them. Raises `ExporterError` if there is none of a
    name, `IntegrityError` if the manifest of a named one cannot be read, `OutputError`, and
    `SettingsError` for a named one that is partial, without `partial`.
    """
    named = {
        one.manifest.snapshot_id: one
        for one in (read_snapshot(destination, name) for name in names if name != NEW)
    }
    for one in named.values():
        if one.manifest.status == "partial" and not partial:
            raise SettingsError(
                f"Snapshot {one.manifest.snapshot_id} is partial, and is loaded only with "
                f"{switch('partial')}: add it, or name another snapshot."
            )
    if NEW not in names:
        return Selection(tuple(named.values()))
    found, own_ids, unreadable = snapshots_of_source(destination)
    own = [one for one in found if one.manifest.snapshot_id in own_ids]
    return Selection(
        tuple(named.values()),
        tuple(one for one in own if partial or one.manifest.status == "complete"),
        tuple(
            one.manifest.snapshot_id
            for one in own
            if one.manifest.status == "partial" and not partial
        ),
        tuple(unreadable),
    )


def gone(destination: Destination, loaded: Mapping[str, LoadedSnapshot]) -> list[str]:
    """Return the ids of those that a warehouse has and the output does not have any more, sorted.

    A warehouse may be fed by several outputs, so only snapshots count whose source and scope are
    those of a snapshot that the output still has. One whose manifest cannot be read is still there.
    Raises `OutputError`.
    """
    manifests, unreadable = readable_manifests(destination)
    there = {one.snapshot_id for one in manifests} | {*unreadable}
    known = {_identity(one) for one in manifests}
    return sorted(
        snapshot_id
        for snapshot_id, one in loaded.items()
        if snapshot_id not in there and _identity(one) in known
    )


def _identity(one: Manifest | LoadedSnapshot) -> Identity:
    return identity(one.source, one.scope)
