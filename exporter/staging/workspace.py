"""The staging area: one private folder per unfinished snapshot, and which of them to resume."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from exporter.errors import OutputError, SettingsError
from exporter.staging.journal import NAME, Journal
from exporter.staging.layout import PLAN, check_snapshot_id, first_free
from exporter.staging.output_id import output_id
from exporter.staging.parquet import output_errors
from exporter.staging.unfinished import (
    DISCARDED,
    NOTHING,
    Published,
    Unfinished,
    Unreadable,
    leftovers,
)
from exporter.storage.destination import Destination
from exporter.storage.durable import make_folder, restrict
from exporter.storage.local import Folder
from exporter.storage.opening import expanded
from exporter.storage.own_cache import own_cache
from exporter.wording import option, switch

log = structlog.get_logger()


@dataclass(frozen=True)
class Workspace:
    """The staging folder that a run works in; `resumed` if an earlier run began it.

    `replaces` is true if that run was allowed to replace a snapshot.
    """

    path: Path
    snapshot_id: str
    started_at: datetime
    resumed: bool
    replaces: bool = field(default=False, compare=False)


def staging_root(destination: Destination, named: Path | None) -> Path:
    """Return the folder that holds the staging folders of an output.

    For a local output it is `.staging` inside the output, so that publishing is a rename. For a
    bucket, or if the settings name a folder, it is a subfolder of the named folder or the cache
    folder. Each output has its own, the same for every spelling (`output_id`). Raises
    `SettingsError` and `OutputError`.
    """
    if named is None and isinstance(destination, Folder):
        return destination.root / ".staging"
    id_ = output_id(destination) if isinstance(destination, Folder) else b""
    own = hashlib.sha256(os.fsencode(destination.identity) + id_).hexdigest()[:16]
    folder = named or own_cache()
    if folder is None:
        raise SettingsError(
            "There is no place to stage in, for this user has no home folder: name a folder in "
            "output.staging, or set XDG_CACHE_HOME or HOME."
        )
    return expanded(folder, "output.staging") / own


def staged_ids(root: Path) -> set[str]:
    """Return the ids of the snapshots that have a staging folder below a staging root."""
    return {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()


def open_place(
    root: Path,
    *,
    snapshot_id: str | None,
    new_id: str,
    fingerprint: str,
    now: datetime,
    resume_within: timedelta,
    fresh: bool,
    take_withheld: bool,
    replace: bool = False,
    subject: str = "",
    published: Published = NOTHING,
) -> Workspace:
    """Find the unfinished staging to resume, or make a new one; the caller holds the lock.

    - With `snapshot_id`, only that snapshot is resumed; its settings must be the same.
    - Without it, the newest one with the same settings is resumed, unless a snapshot of its id is
      `published` and `replace` is false.
    - Staging that no run can resume is discarded: it is unreadable or older than `resume_within`,
      or a newer snapshot of the same `subject` is complete. With `fresh`, the rest is discarded as
      well.
    - With `take_withheld`, a withheld result is resumed before all others, whatever its age.
      Another `snapshot_id` than its own is refused.
    - Without `take_withheld`, a withheld result is discarded: its cause may be gone by now, and it
      must not replace a newer listing.

    Raises `SettingsError` and `OutputError`.
    """
    with output_errors(root):
        make_folder(root, mode=0o700)
        restrict(root, 0o700)
        for gone in root.glob(f"{DISCARDED}*"):
            shutil.rmtree(gone)
    left = _resumable(root, published, now, resume_within, spare_withheld=take_withheld)
    own = [one for one in left if one.fingerprint == fingerprint]
    held_back = [one for one in own if one.is_withheld]
    if snapshot_id is None:
        taken = frozenset() if fresh or replace else published.ids
        candidates = [one for one in own if _is_free(one, taken, take_withheld=take_withheld)]
    else:
        if take_withheld and not fresh:
            _refuse_another_id(held_back, snapshot_id)
        # A result that was withheld under another id is listed again now.
        candidates = [one for one in left if one.snapshot_id == snapshot_id or one in held_back]
    usable = _usable(candidates, fresh=fresh, take_withheld=take_withheld)
    if usable:
        found = max(usable, key=lambda one: (one.is_withheld, one.started_at))
        if found.fingerprint != fingerprint:
            raise SettingsError(
                f"Snapshot {snapshot_id} was begun with other settings and is not finished: use "
                f"the settings it was begun with, {switch('fresh')} to start it over, or another "
                "id."
            )
        return Workspace(
            found.path, found.snapshot_id, found.started_at, resumed=True, replaces=found.replaces
        )
    # Checked before it becomes a path, because anything at that path is discarded.
    if snapshot_id is None:
        chosen = first_free(new_id, {path.name for path in root.iterdir()}.__contains__)
    else:
        chosen = check_snapshot_id(snapshot_id)
    path = root / chosen
    with output_errors(root):
        if path.exists():
            discard(path)  # It could not be read a moment ago.
        make_folder(path, mode=0o700)
    with Journal(path) as journal:
        journal.set_meta(
            snapshot_id=chosen,
            fingerprint=fingerprint,
            subject=subject,
            publications=str(published.last),
            replaces="yes" if replace else "no",
            started_at=now.isoformat(),
        )
    return Workspace(path, chosen, now, resumed=False)


def _is_free(one: Unfinished, taken: frozenset[str], *, take_withheld: bool) -> bool:
    """Return whether a run without an id may publish an unfinished snapshot under its id."""
    # A publication that has begun knows what it replaces; `take_withheld` is a person's decision.
    knows = one.is_publishing or (one.is_withheld and (one.replaces or not take_withheld))
    return knows or one.snapshot_id not in taken


def _refuse_another_id(held_back: list[Unfinished], snapshot_id: str) -> None:
    """Refuse another id for a withheld result: it would list again what is already listed."""
    ids = [one.snapshot_id for one in held_back]
    if ids and snapshot_id not in ids:
        raise SettingsError(
            f"{ids[-1]} is the snapshot that was listed and not published for being too small, and "
            f"{switch('accept_shrink')} publishes it without listing again: leave "
            f"{option('snapshot_id')} out, or use {switch('fresh')} to list again as {snapshot_id}."
        )


def _resumable(
    root: Path,
    published: Published,
    now: datetime,
    within: timedelta,
    *,
    spare_withheld: bool,
) -> list[Unfinished]:
    """Return the unfinished staging that a run may resume; discard the rest."""
    since = now - within
    resumable = []
    for one in leftovers(root):
        if isinstance(one, Unreadable):
            _discard_unreadable(one)
            continue
        # A withheld result does not age: a person may take days to look at it.
        oldest = one.started_at if spare_withheld and one.is_withheld else since
        reason = one.outdated(published, oldest, within)
        if not reason:
            resumable.append(one)
            continue
        log.warning(
            "staging_discarded",
            message=f"The unfinished snapshot {one.snapshot_id} is discarded: {reason}.",
            reason="older than output.resume_within"
            if one.newer(published) is None
            else "older than the newest complete snapshot",
            staged_snapshot_id=one.snapshot_id,
            started_at=one.started_at.isoformat(),
        )
        discard(one.path)
    return resumable


def _discard_unreadable(one: Unreadable) -> None:
    kept = f"The staging folder {one.path} is left as it is: {one.reason}"
    if not one.is_lasting:
        log.warning("staging_unreadable", message=f"{kept}.", path=str(one.path))
        return
    try:
        discard(one.path)
    except OutputError as error:
        # It may be another user's. It takes up space, but hinders no run.
        text = f"{kept}, and it cannot be removed ({str(error).removesuffix('.')})."
        log.warning("staging_unreadable", message=text, path=str(one.path))
        return
    text = f"The staging folder {one.path} is discarded: {one.reason}, so no run can resume it."
    log.warning("staging_unreadable", message=text, path=str(one.path))


def _usable(candidates: list[Unfinished], *, fresh: bool, take_withheld: bool) -> list[Unfinished]:
    """Return the unfinished staging that may be resumed; discard the rest."""
    usable = []
    for one in candidates:
        if not fresh and (take_withheld or not one.is_withheld):
            usable.append(one)
            continue
        again = "it was not published, and its scope is listed again"
        reason = f"{option('fresh')} was given" if fresh else again
        log.info(
            "staging_discarded",
            message=f"The unfinished snapshot {one.snapshot_id} is discarded: {reason}.",
            reason=reason,
            staged_snapshot_id=one.snapshot_id,
        )
        discard(one.path)
    return usable


def discard(path: Path) -> None:
    """Remove a staging folder; it disappears at once, by a rename. Raises `OutputError`."""
    gone = path.with_name(f"{DISCARDED}{path.name}")
    with output_errors(path):
        path.rename(gone)
        shutil.rmtree(gone)


def clean_up(path: Path) -> None:
    """Remove the staging folder of a snapshot that is published; raises `OutputError`.

    The journal and the plan go last: if the run is killed meanwhile, the next one sees that it is
    published.
    """
    with output_errors(path):
        for inner in path.iterdir():
            if inner.is_dir():
                shutil.rmtree(inner)
            elif not inner.name.startswith((NAME, PLAN)):
                inner.unlink()
    discard(path)
