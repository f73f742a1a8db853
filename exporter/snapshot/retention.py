"""Retention: which snapshots a policy keeps, and how the others are removed.

The rules are restic's (`restic forget`): going from the newest back, the newest snapshot of
each of the last N days (ISO weeks, months; all in UTC, by the start of the run) that have one
is kept, and so are the last N of all; what no rule keeps goes. Beyond that:

- Only complete snapshots count. A partial one never takes a complete one's place.
- A partial snapshot stays as long as no newer complete one exists, as the only evidence of a
  run that went wrong; then it goes.
- The newest complete snapshot stays, whatever the policy: `latest.json` names it.
- A broken one stays: a person should look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.errors import IntegrityError, SettingsError
from exporter.snapshot.catalog import (
    SnapshotInfo,
    point_latest,
    read_manifest,
    readable_manifests,
    snapshot_files,
)
from exporter.snapshot.destination import Destination
from exporter.snapshot.folder import TEMPORARY
from exporter.snapshot.layout import SUFFIX, manifest_path
from exporter.snapshot.publish import OnStep, silent

_IN_A_SNAPSHOT = re.compile(r"[^/]+/[^/]+/snapshot_id=([^/]+)/[^/]+$")


@dataclass(frozen=True)
class Policy:
    """How many snapshots to keep by each rule; see the module."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


@dataclass(frozen=True)
class Kept:
    """A snapshot that stays, and why: the rules that keep it, or what protects it."""

    snapshot_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What a policy makes of a list of snapshots, each part newest first."""

    keep: tuple[Kept, ...]
    remove: tuple[str, ...]


_Period = tuple[int, ...]


def _day(time: datetime) -> _Period:
    return (time.year, time.month, time.day)


def _week(time: datetime) -> _Period:
    return tuple(time.isocalendar()[:2])


def _month(time: datetime) -> _Period:
    return (time.year, time.month)


def choose(snapshots: Sequence[SnapshotInfo], policy: Policy) -> Choice:
    """Return which snapshots the policy keeps, with reasons, and which it removes.

    Raises `SettingsError` for a policy that keeps nothing, which is a mistake, not a wish.
    """
    if policy == Policy():
        raise SettingsError(
            "The retention keeps nothing: give at least one of keep-last, keep-daily, keep-weekly "
            "and keep-monthly, greater than 0."
        )
    dated = sorted(
        ((info.started_at, info) for info in snapshots if info.started_at is not None),
        key=lambda pair: (pair[0], pair[1].snapshot_id),
        reverse=True,
    )
    complete = [(time, info.snapshot_id) for time, info in dated if info.status == "complete"]
    reasons: dict[str, list[str]] = {info.snapshot_id: [] for _, info in dated}
    for rule, count, period in (
        ("last", policy.last, None),
        ("daily", policy.daily, _day),
        ("weekly", policy.weekly, _week),
        ("monthly", policy.monthly, _month),
    ):
        for snapshot_id in _newest_of_each(complete, period)[:count]:
            reasons[snapshot_id].append(rule)
    if complete:
        reasons[complete[0][1]].append("newest complete")
    for _, info in dated:
        if info.status == "complete":
            break
        reasons[info.snapshot_id].append("no newer complete")
    reasons |= {info.snapshot_id: ["broken"] for info in snapshots if info.started_at is None}
    return Choice(
        keep=tuple(Kept(name, tuple(why)) for name, why in reasons.items() if why),
        remove=tuple(name for name, why in reasons.items() if not why),
    )


def _newest_of_each(
    snapshots: Sequence[tuple[datetime, str]], period: Callable[[datetime], _Period] | None
) -> list[str]:
    if period is None:
        return [snapshot_id for _, snapshot_id in snapshots]
    newest: dict[_Period, str] = {}
    for time, snapshot_id in snapshots:
        newest.setdefault(period(time.astimezone(UTC)), snapshot_id)
    return list(newest.values())


def remove(
    destination: Destination, snapshot_ids: Collection[str], *, on_step: OnStep | None = None
) -> None:
    """Remove snapshots: each one's manifest first, then its files; raises `OutputError`.

    The caller holds the lock. `latest.json` is made to name another complete snapshot before
    anything goes, or removed where none is left. If a run is killed in between, what it leaves
    is no part of any snapshot, and `remove_orphans` finds it.
    """
    tell = on_step or silent
    point_latest(destination, without=snapshot_ids)
    tell("latest")
    for snapshot_id in snapshot_ids:
        path = manifest_path(snapshot_id)
        try:
            manifest = read_manifest(destination, snapshot_id)
        except IntegrityError:
            manifest = None
        files = {file.path for file in manifest.files} if manifest else set()
        destination.delete(path)
        tell(f"removed {path}")
        for file in (
            f"{path}.sha256",
            *sorted(files.union(snapshot_files(destination, snapshot_id))),
        ):
            destination.delete(file)
            tell(f"removed {file}")


def remove_orphans(
    destination: Destination, spare: Collection[str] = (), *, on_step: OnStep | None = None
) -> list[str]:
    """Remove files that no manifest names from snapshots' folders, and return their paths.

    They are what killed runs leave. The caller holds the lock, and gives in `spare` the ids of
    snapshots that are still staged: one of them may be half published. Files of snapshots with
    a broken manifest are left alone, and so is all that is not where a snapshot's files go.
    """
    tell = on_step or silent
    # First, for a stale `latest.json` must not name what is about to go.
    point_latest(destination)
    manifests, broken = readable_manifests(destination)
    named = {file.path for manifest in manifests for file in manifest.files}
    spared = {*spare, *broken}
    orphans = [
        entry.path
        for format_ in SUFFIX
        for entry in destination.list(format_)
        if (found := _IN_A_SNAPSHOT.match(entry.path))
        and found[1] not in spared
        and entry.path not in named
    ]
    existing = {manifest.snapshot_id for manifest in manifests} | spared
    for entry in destination.list("manifests"):
        name = entry.path.removeprefix("manifests/")
        lone = name.endswith(".json.sha256") and name.removesuffix(".json.sha256") not in existing
        if lone or (name.startswith(".") and name.endswith(TEMPORARY)):
            orphans.append(entry.path)
    for path in orphans:
        destination.delete(path)
        tell(f"removed {path}")
    return orphans
