"""Retention: which snapshots a policy keeps, and how the others are removed.

The rules are those of `restic forget`: the last N snapshots are kept, and the newest one of each of
the last N days that have one (so for ISO weeks and months; all in UTC, by the start of the run). A
snapshot that no rule keeps is removed. In addition:

- Only snapshots of the output's own source and scope count. The others stay, except for `partial`.
- Only sound snapshots count: complete, and nothing vanished (`Manifest.is_sound`). An unsound one
  stays until a sound one is newer, as evidence of a run that went wrong.
- At most `partial` unsound snapshots of each source and scope stay, the newest ones.
- The newest sound snapshot stays, whatever the policy, because `latest.json` names it.
- A broken snapshot stays: a person should look at it.

"Newest" means published last, so a clock that was wrong once has no lasting effect.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from exporter.errors import IntegrityError, OutputError, SettingsError
from exporter.snapshots.catalog import SnapshotInfo, reports, snapshot_files
from exporter.snapshots.identity import Identity, identity
from exporter.snapshots.latest import latest_manifest, point_latest
from exporter.snapshots.layout import LATEST, REPORTS, manifest_path, report_path
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import read_manifest, readable_manifests
from exporter.snapshots.publish import OnStep, silent
from exporter.staging.layout import SUFFIX
from exporter.storage.destination import Destination
from exporter.storage.local import TEMPORARY
from exporter.storage.os_errors import is_full
from exporter.wording import option

_IN_A_SNAPSHOT = re.compile(r"[^/]+/[^/]+/snapshot_id=([^/]+)/[^/]+$")


@dataclass(frozen=True)
class Policy:
    """How many snapshots to keep by each rule; see the module.

    Without a rule for complete ones, all of them stay. `partial` limits all unsound snapshots; None
    is no limit.
    """

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    partial: int | None = None

    @property
    def has_rule(self) -> bool:
        """Whether a rule chooses among the complete snapshots."""
        return bool(self.last or self.daily or self.weekly or self.monthly)


@dataclass(frozen=True)
class Kept:
    """A snapshot that stays, and why: the rules that keep it, or what protects it."""

    snapshot_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The decision of a policy about a list of snapshots, each part newest first."""

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

    Raises `SettingsError` for a policy that keeps nothing, because that must be a mistake.
    """
    if not policy.has_rule and policy.partial is None:
        rules = ", ".join(map(option, ("keep_last", "keep_daily", "keep_weekly")))
        raise SettingsError(
            f"There is no rule for what to keep, so nothing was removed: give one of {rules} and "
            f"{option('keep_monthly')} with more than 0, or set output.keep."
        )
    dated = sorted(
        (info for info in snapshots if info.started_at is not None),
        key=lambda info: info.order,
        reverse=True,
    )
    own = [info for info in dated if info.is_own]
    sound = [info for info in own if info.is_sound]
    reasons: dict[str, list[str]] = {info.snapshot_id: [] for info in dated}
    for rule, count, period in (
        ("last", policy.last if policy.has_rule else len(sound), None),
        ("daily", policy.daily, _day),
        ("weekly", policy.weekly, _week),
        ("monthly", policy.monthly, _month),
    ):
        for snapshot_id in _newest_of_each(sound, period)[:count]:
            reasons[snapshot_id].append(rule if policy.has_rule else "no rule for complete ones")
    if sound:
        reasons[sound[0].snapshot_id].append("newest complete")
    for info in takewhile(lambda one: not one.is_sound, own):
        reasons[info.snapshot_id].append("no newer complete")
    for info in dated:
        if not info.is_own:
            reasons[info.snapshot_id].append("of another source or scope")
        elif info.status == "complete" and not (policy.has_rule or reasons[info.snapshot_id]):
            reasons[info.snapshot_id].append("no rule for complete ones")
    if policy.partial is not None:
        reasons |= {name: [] for name in surplus_unsound(dated, policy.partial)}
    reasons |= {info.snapshot_id: ["broken"] for info in snapshots if info.started_at is None}
    return Choice(
        keep=tuple(Kept(name, tuple(why)) for name, why in reasons.items() if why),
        remove=tuple(name for name, why in reasons.items() if not why),
    )


def surplus_unsound(snapshots: Sequence[SnapshotInfo], most: int) -> list[str]:
    """Return the snapshots beyond the newest `most` of each scope that may not be the latest.

    They are the partial ones, and the complete ones of which a part vanished. They come newest
    first, as `snapshots` do. Broken ones are none of them.
    """
    seen: Counter[Identity] = Counter()
    surplus = []
    for info in snapshots:
        if info.status != "broken" and not info.is_sound:
            what = identity(info.source, info.scope)
            seen[what] += 1
            if seen[what] > most:
                surplus.append(info.snapshot_id)
    return surplus


def _newest_of_each(
    snapshots: Sequence[SnapshotInfo], period: Callable[[datetime], _Period] | None
) -> list[str]:
    if period is None:
        return [info.snapshot_id for info in snapshots]
    newest: dict[_Period, str] = {}
    for info in snapshots:
        if info.started_at is not None:
            newest.setdefault(period(info.started_at.astimezone(UTC)), info.snapshot_id)
    return list(newest.values())


def remove(
    destination: Destination, snapshot_ids: Collection[str], *, on_step: OnStep | None = None
) -> None:
    """Remove snapshots: each one's manifest first, then its files; raises `OutputError`.

    The caller has the lock. Before the snapshot in `latest.json` is removed, `latest.json` gets to
    name another complete snapshot, or is removed if none is left. If it cannot be written, as on a
    full disk, all other snapshots are removed first. If the run is killed in between, the remaining
    files belong to no snapshot, and `remove_orphans` finds them.
    """
    tell = on_step or silent

    def remove_one(snapshot_id: str) -> None:
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
            *reports(destination, snapshot_id),
        ):
            destination.delete(file)
            tell(f"removed {file}")

    def is_named(latest: Manifest, snapshot_id: str) -> bool:
        return latest.snapshot_id == snapshot_id

    _clear(destination, snapshot_ids, remove_one, is_named, tell, without=snapshot_ids)


def _clear(
    destination: Destination,
    items: Collection[str],
    remove_one: Callable[[str], None],
    is_named: Callable[[Manifest, str], bool],
    tell: OnStep,
    *,
    without: Collection[str] = (),
) -> None:
    """Remove items after `latest.json` is right; on a full disk, first those that it does not name.

    `without` is as for `point_latest`.
    """
    try:
        point_latest(destination, without=without)
    except OutputError as error:
        if not is_full(error):
            raise
        latest = latest_manifest(destination)
        later = [one for one in items if latest is not None and is_named(latest, one)]
        for one in items:
            if one not in later:
                remove_one(one)
        if not _has_room(destination, without):
            # It names a snapshot that is to be removed, and the full disk prevents a new one.
            destination.delete(LATEST)
        for one in later:
            remove_one(one)
        point_latest(destination, without=without)
        tell("latest")
        return
    tell("latest")
    for one in items:
        remove_one(one)


def _has_room(destination: Destination, without: Collection[str]) -> bool:
    try:
        point_latest(destination, without=without)
    except OutputError as error:
        if not is_full(error):
            raise
        return False
    return True


def remove_orphans(
    destination: Destination,
    spare: Collection[str] = (),
    *,
    before: float = math.inf,
    on_step: OnStep | None = None,
) -> list[str]:
    """Remove files that no manifest names from snapshots' folders, and return their paths.

    Killed runs leave such files. The caller has the lock. `spare` are the ids of snapshots that are
    still staged, because one may be half published. So may one that is staged elsewhere: files that
    are newer than `before`, in seconds since 1970, stay. Files of a snapshot with a broken manifest
    stay, and so does every file outside a snapshot's folders. Raises `OutputError`.
    """
    tell = on_step or silent
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
        and (entry.changed_at < before or _is_temporary(entry.path))
    ]
    existing = {manifest.snapshot_id for manifest in manifests} | spared
    for entry in destination.list("manifests"):
        name = entry.path.removeprefix("manifests/")
        lone = name.endswith(".json.sha256") and name.removesuffix(".json.sha256") not in existing
        if (lone and entry.changed_at < before) or _is_temporary(entry.path):
            orphans.append(entry.path)
    for entry in destination.list(REPORTS):
        name = entry.path.removeprefix(f"{REPORTS}/").removesuffix(".html")
        if entry.path == report_path(name) and name not in existing and entry.changed_at < before:
            orphans.append(entry.path)

    def remove_one(path: str) -> None:
        destination.delete(path)
        tell(f"removed {path}")

    def is_named(latest: Manifest, path: str) -> bool:
        return path in {file.path for file in latest.files}

    _clear(destination, orphans, remove_one, is_named, tell)
    return orphans


def _is_temporary(path: str) -> bool:
    """Return whether a file is a temporary one; under the lock, nobody still writes it."""
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(TEMPORARY)
