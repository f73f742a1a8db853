"""Which snapshot a name means: `latest`, `previous`, or an id."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from exporter.errors import ExporterError
from exporter.snapshots.catalog import Catalog, catalog
from exporter.snapshots.identity import Identity, identity, origin
from exporter.snapshots.latest import CORRECTED
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import (
    Manifests,
    complete_manifests,
    read_all,
    read_manifest,
    readable_manifests,
)
from exporter.storage.destination import Destination

if TYPE_CHECKING:
    from exporter.snapshots.reader import Snapshot

NEWEST = "latest"
"""The name of the snapshot in `latest.json`: the newest complete one."""
PREVIOUS = "previous"
"""The name of the complete snapshot before that one, of the same source and scope."""


def read_snapshot(destination: Destination, name: str = NEWEST) -> Snapshot:
    """Open a snapshot of a destination by its id, or as `latest` or `previous`.

    Raises `ExporterError` if there is no such snapshot, `IntegrityError` if its manifest cannot be
    read or is of a newer major format, and `OutputError` if the destination cannot be read.
    """
    if name == NEWEST:
        # A copy of the manifest that is replaced as a whole: reading one file cannot mix two.
        data = destination.read(LATEST)
        if data is None:
            raise ExporterError(
                f"There is no {LATEST} in {destination.url}, so no snapshot is complete: name the "
                f"id of a partial one, or another output; if one is complete, {CORRECTED}."
            )
        return _open(destination, Manifest.parse(data, f"{destination.url}/{LATEST}"))
    if name == PREVIOUS:
        name = _previous(destination)
    manifest = read_manifest(destination, name)
    if manifest is None:
        raise ExporterError(_no_such(destination, name))
    return _open(destination, manifest)


def every_snapshot(destination: Destination) -> tuple[list[Snapshot], list[str]]:
    """Open all snapshots of a destination, oldest first by publication.

    Also returns the ids of those whose manifest cannot be read, or is of a newer major format.
    Raises `ExporterError` if none can be read, and `OutputError`.
    """
    return _opened(destination, read_all(destination))


def snapshots_of_source(
    destination: Destination, until: Manifest | None = None
) -> tuple[list[Snapshot], frozenset[str], list[str]]:
    """Open the snapshots of the output's own source, whatever their scope, oldest first.

    Also returns the ids of those of the output's own scope, and of those whose manifest cannot be
    read. The own source and scope are those of the newest complete snapshot, or of the newest one
    if none is complete, or with `until` those of that snapshot, which is then the last one. Raises
    `ExporterError` if there is none, and `OutputError`.
    """
    every = read_all(destination)
    snapshots, broken = _opened(destination, every)
    complete = complete_manifests(every)
    newest = until or (complete[0] if complete else snapshots[-1].manifest)
    of_source = [
        one
        for one in snapshots
        if _source(one.manifest) == _source(newest)
        and (until is None or one.manifest.order <= until.order)
    ]
    own = [one for one in of_source if _identity(one.manifest) == _identity(newest)]
    return of_source, frozenset(one.manifest.snapshot_id for one in own), broken


def snapshots_in_order(destination: Destination) -> list[str]:
    """Return the ids of an output's snapshots that have a readable manifest, oldest first.

    The order is that of publication. Raises `ExporterError` if there is none, and `OutputError`.
    """
    found = catalog(destination)
    ids = [info.snapshot_id for info in reversed(found.snapshots) if info.status != "broken"]
    if not ids:
        raise ExporterError(_none(destination))
    return ids


def _none(destination: Destination) -> str:
    return f"There are no snapshots in {destination.url}: run an export first."


def complete_before(destination: Destination, manifest: Manifest) -> Snapshot | None:
    """Open the newest complete snapshot that was published before another, of its source and scope.

    Of the latest snapshot, this is `previous`. Returns None if there is none; raises `OutputError`.
    """
    what = _identity(manifest)
    earlier = [
        one
        for one in readable_manifests(destination)[0]
        if one.is_sound and one.order < manifest.order and _identity(one) == what
    ]
    newest = max(earlier, key=lambda one: one.order, default=None)
    return None if newest is None else _open(destination, newest)


def _open(destination: Destination, manifest: Manifest) -> Snapshot:
    # What reads tables takes long to import, and a run whose output is new reads none.
    from exporter.snapshots.reader import Snapshot  # noqa: PLC0415

    return Snapshot(destination, manifest)


def _opened(destination: Destination, every: Manifests) -> tuple[list[Snapshot], list[str]]:
    manifests = [read for _, read in every.values() if isinstance(read, Manifest)]
    if not manifests:
        raise ExporterError(_none(destination))
    in_order = sorted(manifests, key=lambda one: one.order)
    broken = sorted(every.keys() - {one.snapshot_id for one in manifests})
    return [_open(destination, one) for one in in_order], broken


def _identity(manifest: Manifest) -> Identity:
    return identity(manifest.source, manifest.scope)


def _source(manifest: Manifest) -> Identity:
    return identity(origin(manifest.source), {})


def _previous(destination: Destination) -> str:
    """Return the id of the snapshot before the one that `latest` opens, also if that is not new."""
    found = catalog(destination)
    own = [info.snapshot_id for info in found.snapshots if info.is_sound and info.is_own]
    if found.named not in own[:-1]:
        raise ExporterError(
            f"There is no previous snapshot in {destination.url}: {_complete(found)}, and two are "
            "needed; run another export, or name an id."
        )
    return own[own.index(found.named) + 1]


def _complete(found: Catalog) -> str:
    count = sum(info.is_sound and info.is_own for info in found.snapshots)
    return "one snapshot is complete" if count == 1 else "no snapshot is complete"


def _no_such(destination: Destination, name: str) -> str:
    ids = [info.snapshot_id for info in catalog(destination).snapshots]
    near = difflib.get_close_matches(name, ids, n=1, cutoff=0)
    advice = f"the nearest is {near[0]}" if near else "it has none"
    return (
        f"There is no snapshot {name} in {destination.url}: {advice}; `registry-exporter list` "
        "shows those that there are."
    )
