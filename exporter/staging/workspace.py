"""The staging area: one private folder per unfinished snapshot, and which of them to go on with."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from exporter.errors import OutputError, SettingsError
from exporter.staging.journal import FORMAT, NAME
from exporter.staging.layout import PLAN, WITHHELD, check_snapshot_id, first_free
from exporter.staging.parquet import output_errors
from exporter.storage.destination import Destination
from exporter.storage.durable import make_folder, restrict
from exporter.storage.local import Folder
from exporter.storage.opening import expanded
from exporter.wording import option, switch

log = structlog.get_logger()

_DISCARDED = ".discarded-"


@dataclass(frozen=True)
class Unfinished:
    """A staging folder of an earlier run: its snapshot's id, its settings' print, its start.

    `is_withheld` if all was listed and the result is not published until a person says so.
    """

    path: Path
    snapshot_id: str
    fingerprint: str
    started_at: datetime
    is_withheld: bool


@dataclass(frozen=True)
class Workspace:
    """The staging folder a run works in; `resumed` if an earlier run began it."""

    path: Path
    snapshot_id: str
    started_at: datetime
    resumed: bool


def staging_root(destination: Destination, named: Path | None) -> Path:
    """Return the folder that holds the staging folders of an output.

    It is `.staging` inside a local output, so that publishing is a rename; else, or where the
    settings name one, a folder of that output's own below the named or the cache folder.
    """
    if named is None and isinstance(destination, Folder):
        return destination.root / ".staging"
    own = hashlib.sha256(os.fsencode(destination.url)).hexdigest()[:16]
    return expanded(named or _cache() / "registry-exporter", "output.staging") / own


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        raise SettingsError(
            "There is no place to stage in, for this user has no home folder: name a folder in "
            "output.staging, or set XDG_CACHE_HOME or HOME."
        ) from None


def staged_ids(root: Path) -> set[str]:
    """Return the ids of the snapshots that have a staging folder below a staging root."""
    return {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()


def lock_root(destination: Destination, named: Path | None) -> Path:
    """Return the folder that holds the lock of an output, with `named` as for `staging_root`.

    It is inside a local output, wherever that is staged: runs that stage elsewhere exclude each
    other as well.
    """
    return staging_root(destination, None if isinstance(destination, Folder) else named)


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
) -> Workspace:
    """Find the unfinished staging to go on with, or make a new one; the caller holds the lock.

    With `snapshot_id`, only that one is taken up; it must be of the same settings. Without, the
    newest of the same settings is. What is older than `resume_within`, and with `fresh` whatever
    would be taken up, is discarded. A result that was withheld is taken up before all others, and
    however old it is, with `take_withheld`, and refused under another id than its own; without, it
    is discarded under whatever id, for what made it too small may have been mended since, and it
    must not replace what is listed after it. Raises `SettingsError` and `OutputError`.
    """
    with output_errors(root):
        make_folder(root, mode=0o700)
        restrict(root, 0o700)
        for gone in root.glob(f"{_DISCARDED}*"):
            shutil.rmtree(gone)
    young = _young(root, now - resume_within, spare_withheld=take_withheld)
    held_back = [one for one in young if one.is_withheld and one.fingerprint == fingerprint]
    if snapshot_id is None:
        candidates = [one for one in young if one.fingerprint == fingerprint]
    else:
        if take_withheld and not fresh:
            _refuse_another_id(held_back, snapshot_id)
        # What was held back under another id is listed again now.
        candidates = [one for one in young if one.snapshot_id == snapshot_id or one in held_back]
    usable = _usable(candidates, fresh=fresh, take_withheld=take_withheld)
    if usable:
        found = max(usable, key=lambda one: (one.is_withheld, one.started_at))
        if found.fingerprint != fingerprint:
            raise SettingsError(
                f"Snapshot {snapshot_id} was begun with other settings and is not finished: use "
                f"the settings it was begun with, {switch('fresh')} to start it over, or another "
                "id."
            )
        return Workspace(found.path, found.snapshot_id, found.started_at, resumed=True)
    # Checked before it becomes a path: what is at that path is discarded.
    if snapshot_id is None:
        chosen = first_free(new_id, {path.name for path in root.iterdir()}.__contains__)
    else:
        chosen = check_snapshot_id(snapshot_id)
    path = root / chosen
    with output_errors(root):
        if path.exists():
            discard(path)  # A folder without a readable journal holds nothing to go on with.
        make_folder(path, mode=0o700)
    return Workspace(path, chosen, now, resumed=False)


def _refuse_another_id(held_back: list[Unfinished], snapshot_id: str) -> None:
    """Refuse to list again, under another id, what was listed and is to be published as it is."""
    ids = [one.snapshot_id for one in held_back]
    if ids and snapshot_id not in ids:
        raise SettingsError(
            f"{ids[-1]} is the snapshot that was listed and not published for being too small, and "
            f"{switch('accept_shrink')} publishes it without listing again: leave "
            f"{option('snapshot_id')} out, or use {switch('fresh')} to list again as {snapshot_id}."
        )


def _young(root: Path, since: datetime, *, spare_withheld: bool) -> list[Unfinished]:
    """Return the unfinished staging from a time on; discard the rest."""
    young = []
    for unfinished in _unfinished(root):
        spared = spare_withheld and unfinished.is_withheld
        if unfinished.started_at >= since or spared:
            young.append(unfinished)
            continue
        log.warning(
            "staging_discarded",
            reason="older than output.resume_within",
            staged_snapshot_id=unfinished.snapshot_id,
            started_at=unfinished.started_at.isoformat(),
        )
        discard(unfinished.path)
    return young


def _usable(candidates: list[Unfinished], *, fresh: bool, take_withheld: bool) -> list[Unfinished]:
    """Return the unfinished staging that may be gone on with; discard the rest."""
    usable = []
    for one in candidates:
        if not fresh and (take_withheld or not one.is_withheld):
            usable.append(one)
            continue
        again = "it was not published, and its scope is listed again"
        log.info(
            "staging_discarded",
            reason=f"{option('fresh')} was given" if fresh else again,
            staged_snapshot_id=one.snapshot_id,
        )
        discard(one.path)
    return usable


def discard(path: Path) -> None:
    """Remove a staging folder, at once for whoever looks for one; raises `OutputError`."""
    gone = path.with_name(f"{_DISCARDED}{path.name}")
    with output_errors(path):
        path.rename(gone)
        shutil.rmtree(gone)


def clean_up(path: Path) -> None:
    """Remove the staging folder of a snapshot that is published; raises `OutputError`.

    What says so goes last: a run that is killed meanwhile is found to be done by the next one.
    """
    with output_errors(path):
        for inner in path.iterdir():
            if inner.is_dir():
                shutil.rmtree(inner)
            elif not inner.name.startswith((NAME, PLAN)):
                inner.unlink()
    discard(path)


def _unfinished(root: Path) -> list[Unfinished]:
    found = []
    for path in sorted(root.iterdir()):
        if not (path / NAME).is_file():
            continue
        try:
            meta = _meta(path)
            found.append(
                Unfinished(
                    path,
                    meta["snapshot_id"],
                    meta["fingerprint"],
                    datetime.fromisoformat(meta["started_at"]).astimezone(UTC),
                    _is_withheld(path),
                )
            )
        except (sqlite3.Error, KeyError, ValueError, OutputError):
            log.warning("staging_unreadable", path=str(path))
    return found


def _is_withheld(path: Path) -> bool:
    # Once its publication has begun, a plain run finishes it.
    return (path / WITHHELD).is_file() and not (path / PLAN).is_file()


def staged(root: Path) -> dict[str, bool]:
    """Return the snapshots that are staged below a root, and which of them are withheld.

    No journal is opened: a run may be at work on it. Raises `OutputError`.
    """
    with output_errors(root):
        folders = sorted(root.iterdir()) if root.is_dir() else []
        return {path.name: _is_withheld(path) for path in folders if (path / NAME).is_file()}


def _meta(path: Path) -> dict[str, str]:
    # Opened for writing because a journal left by a killed run has to be recovered first.
    database = sqlite3.connect(path / NAME, timeout=5)
    try:
        if database.execute("PRAGMA user_version").fetchone() != (FORMAT,):
            raise ValueError("the journal is another version's")
        return dict(database.execute("SELECT name, value FROM meta").fetchall())
    finally:
        database.close()
