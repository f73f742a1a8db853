"""History over all snapshots of an output: which images a tag pointed to, and how a scope grew.

Snapshots of the output's own source count (`snapshots_of_source`), in the order of their
publication. They are read one at a time, and of each only the row groups with the repository, so
memory grows with the answer alone.

A snapshot counts for a tag if it listed the repository whole: its listing of the registry's images
is complete, and no pattern of its scope leaves the repository out. In such a snapshot, a missing
tag points to nothing, and ends its run. So it does if the snapshot looked for the registry and
found it gone. Other snapshots neither end nor begin a run.

A tag on two images of one snapshot moved while that snapshot was taken. It counts as pointing to
the image that was created last, and of two created at the same time to the greater `image_id`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from exporter.analyze.sight import Ended, Place, Sight
from exporter.errors import ExporterError
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.selection import snapshots_of_source
from exporter.storage.destination import Destination
from exporter.tables.answers import SIZE_HISTORY, TAG_HISTORY
from exporter.tables.listings import ALL

TOTAL = "*"
"""The id of the scope that is everything."""

_SCOPES = ("total", "cloud", "folder", "registry", "repository")
_WHOLE = ("registry", "repository")
"""The scopes that mean the same in a snapshot of another scope."""
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Span:
    """The snapshots that a history looked at: how many, and when the first and last began."""

    count: int
    first_at: datetime
    last_at: datetime

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Span:
        """Return the span of snapshots that are in order."""
        return cls(len(manifests), manifests[0].started_at, manifests[-1].started_at)


@dataclass(frozen=True)
class History:
    """The rows of `tag_history` or `size_history`, and what they are based on.

    `not_listed` are the snapshots, oldest first, that did not list the repository whole, or whose
    sizes lack something. `is_partial` says whether one of them is a partial snapshot.
    `nearest_tag` is set if no snapshot has the tag that was asked for, and others. `unreadable` are
    the snapshots whose manifest cannot be read.
    """

    rows: pa.Table
    span: Span
    not_listed: tuple[str, ...]
    is_partial: bool
    nearest_tag: str | None = None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Pointer:
    """The image that a tag points to in one snapshot."""

    image_id: str
    digest: str | None
    created_at: datetime | None

    @property
    def order(self) -> tuple[bool, float, str]:
        created = self.created_at
        return (created is not None, created.timestamp() if created else 0.0, self.image_id)


@dataclass
class _Run:
    """An unbroken run of snapshots in which a tag points to one image."""

    pointer: _Pointer
    first: Manifest
    last: Manifest


@dataclass
class _Tags:
    """The runs of a repository's tags; those that have not ended, by tag, are in `open`."""

    open: dict[str, _Run] = field(default_factory=dict)
    ended: list[tuple[str, _Run]] = field(default_factory=list)

    def add(self, manifest: Manifest, found: Mapping[str, _Pointer]) -> None:
        """Go on to the next snapshot, in which the tags point to these images."""
        for tag, run in list(self.open.items()):
            now = found.get(tag)
            if now is None or now.image_id != run.pointer.image_id:
                self.ended.append((tag, self.open.pop(tag)))
        for tag, pointer in found.items():
            if tag in self.open:
                self.open[tag].last = manifest
            else:
                self.open[tag] = _Run(pointer, manifest, manifest)


def tag_history(destination: Destination, name: str, *, until: Manifest | None = None) -> History:
    """Return which images the tags of a repository pointed to; `name` is `REPOSITORY[:TAG]`.

    The repository is its full name; the tag may have the wildcards `*`, `?` and `[…]`. The rows are
    those of `TAG_HISTORY`, by tag, the oldest first. All snapshots of the output's own source are
    asked, whatever their scope: each says whether it listed the repository whole. `until` is the
    last one to ask. Raises `ExporterError`, with the nearest name,
    for a repository that no snapshot has, or if there is no snapshot; `IntegrityError` and
    `OutputError` for files that cannot be read.
    """
    repository, tag = _split(name)
    snapshots, _, unreadable = snapshots_of_source(destination, until)
    manifests = [one.manifest for one in snapshots]
    tags, seen = _Tags(), set[str]()
    left_out: list[Manifest] = []
    place: Place | None = None
    for snapshot in snapshots:
        with snapshot:
            place = _place(snapshot, repository) or place
            if _listed_whole(snapshot, repository):
                found = dict(_pointers(snapshot, repository))
                seen.update(found)
                wanted = {one: found[one] for one in found if _is_wanted(one, tag)}
                tags.add(snapshot.manifest, wanted)
            elif place is not None and _is_gone(snapshot, place):
                tags.add(snapshot.manifest, {})
            else:
                left_out.append(snapshot.manifest)
    if not seen:
        _check_known(destination, repository, manifests)
    rows = [
        {"repository_name": repository, "tag": each, **_row(run, is_current=is_current)}
        for runs, is_current in ((tags.ended, False), (tags.open.items(), True))
        for each, run in runs
    ]
    order = {one.snapshot_id: place for place, one in enumerate(manifests)}
    rows.sort(key=lambda row: (row["tag"], order[row["first_snapshot_id"]]))
    return History(
        pa.Table.from_pylist(rows, TAG_HISTORY.schema),
        Span.of(manifests),
        tuple(one.snapshot_id for one in left_out),
        any(one.status == "partial" for one in left_out),
        None if rows or tag is None else _nearest(tag, seen),
        tuple(unreadable),
    )


def size_history(
    destination: Destination, scope_id: str = TOTAL, *, until: Manifest | None = None
) -> History:
    """Return the sizes of a scope in each snapshot that has it, as rows of `SIZE_HISTORY`.

    `scope_id` is that of a cloud, a folder or a registry, a repository's full name, or `TOTAL`.
    Snapshots of another scope than the output's own count for registries and repositories alone.
    `until` is the last one to ask.
    Raises what `tag_history` raises.
    """
    snapshots, own, unreadable = snapshots_of_source(destination, until)
    manifests = [one.manifest for one in snapshots]
    rows: list[dict[str, Any]] = []
    for snapshot in snapshots:
        with snapshot:
            found = _sizes(snapshot, ds.field("scope_id") == scope_id)
            if found:
                first = min(found, key=lambda row: _SCOPES.index(row["scope"]))
                manifest = snapshot.manifest
                # Another scope holds other parts of a total, a cloud or a folder.
                if manifest.snapshot_id not in own and first["scope"] not in _WHOLE:
                    continue
                there = {"snapshot_id": manifest.snapshot_id, "started_at": manifest.started_at}
                rows.append(there | first)
    if not rows:
        raise ExporterError(_unknown(destination, manifests[-1], "scope", scope_id, _SCOPES))
    incomplete = [row["snapshot_id"] for row in rows if not row["complete"]]
    return History(
        pa.Table.from_pylist(rows, SIZE_HISTORY.schema),
        Span.of(manifests),
        tuple(incomplete),
        any(one.status == "partial" and one.snapshot_id in incomplete for one in manifests),
        unreadable=tuple(unreadable),
    )


def _split(name: str) -> tuple[str, str | None]:
    """Return the repository and the tag; a colon before the last slash is part of a name."""
    before, colon, tag = name.rpartition(":")
    return (before, tag) if colon and "/" not in tag else (name, None)


def _is_wanted(tag: str, wanted: str | None) -> bool:
    return wanted is None or tag == wanted or fnmatchcase(tag, wanted)


def _listed_whole(snapshot: Snapshot, repository: str) -> bool:
    registry = repository.partition("/")[0]
    where = ds.field("parent_id").isin([registry, repository])
    listings = {
        (row["listing"], row["parent_id"]): Ended(row["status"])
        for row in _read(snapshot, "coverage", ["listing", "parent_id", "status"], where)
    }
    manifest = snapshot.manifest
    sight = Sight(manifest.scope, listings, places={}, source=manifest.source)
    return sight.patterns.match(repository) and not sight.repository_not_listed(repository)


def _place(snapshot: Snapshot, repository: str) -> Place | None:
    """Return where the repository's registry is; None if the snapshot does not have it."""
    is_it = ds.field("registry_id") == repository.partition("/")[0]
    rows = _read(snapshot, "registries", ["registry_id", "folder_id", "cloud_id"], is_it)
    return Place(**rows[0]) if rows else None


def _is_gone(snapshot: Snapshot, place: Place) -> bool:
    """Say whether a snapshot looked for a registry and found that it is not there any more."""
    if _read(snapshot, "registries", ["name"], ds.field("registry_id") == place.registry_id):
        return False
    above = [one for one in (place.registry_id, place.folder_id, place.cloud_id, ALL) if one]
    columns = ["listing", "parent_id", "status"]
    rows = _read(snapshot, "coverage", columns, ds.field("parent_id").isin(above))
    listings = {(row["listing"], row["parent_id"]): Ended(row["status"]) for row in rows}
    manifest = snapshot.manifest
    sight = Sight(manifest.scope, listings, places={}, source=manifest.source)
    return not sight.not_looked_for(place, same_organization=True)


def _pointers(snapshot: Snapshot, repository: str) -> Iterator[tuple[str, _Pointer]]:
    """Yield each tag of a repository with its image; of two images, the later one comes last."""
    columns = ["tag", "image_id", "digest", "created_at"]
    rows = _read(snapshot, "tags", columns, ds.field("repository_name") == repository)
    pairs = [(row.pop("tag"), _Pointer(**row)) for row in rows]
    yield from sorted(pairs, key=lambda pair: pair[1].order)


def _row(run: _Run, *, is_current: bool) -> dict[str, Any]:
    return {
        "image_id": run.pointer.image_id,
        "digest": run.pointer.digest,
        "first_snapshot_id": run.first.snapshot_id,
        "first_seen_at": run.first.started_at,
        "last_snapshot_id": run.last.snapshot_id,
        "last_seen_at": run.last.started_at,
        "is_current": is_current,
    }


def _check_known(destination: Destination, repository: str, manifests: Sequence[Manifest]) -> None:
    """Raise `ExporterError` for a repository that no snapshot has."""
    is_it = (ds.field("scope") == "repository") & (ds.field("scope_id") == repository)
    for manifest in reversed(manifests):
        with Snapshot(destination, manifest) as snapshot:
            if _sizes(snapshot, is_it):
                return
    raise ExporterError(
        _unknown(destination, manifests[-1], "repository", repository, ("repository",))
    )


def _unknown(
    destination: Destination, newest: Manifest, what: str, name: str, scopes: Sequence[str]
) -> str:
    with Snapshot(destination, newest) as snapshot:
        names = [row["scope_id"] for row in _sizes(snapshot, ds.field("scope").isin(scopes))]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0)
    verb = "is" if len(near) == 1 else "are"
    advice = f"the nearest {verb} {', '.join(near)}" if near else "the newest has none"
    return f"No snapshot has the {what} {name}: {advice}."


def _nearest(tag: str, seen: set[str]) -> str | None:
    near = difflib.get_close_matches(tag, seen, n=1, cutoff=0)
    return near[0] if near and not _WILDCARDS & set(tag) else None


def _sizes(snapshot: Snapshot, where: ds.Expression) -> list[dict[str, Any]]:
    columns = [name for name in SIZE_HISTORY.schema.names if name not in _OF_THE_MANIFEST]
    return _read(snapshot, "size_totals", columns, where)


_OF_THE_MANIFEST = ("snapshot_id", "started_at")


def _read(
    snapshot: Snapshot, table: str, columns: Sequence[str], where: ds.Expression
) -> list[dict[str, Any]]:
    """Return rows of a table; row groups that cannot have any are not read."""
    rows: list[dict[str, Any]] = (
        snapshot.dataset(table).to_table(list(columns), filter=where).to_pylist()
    )
    return rows
