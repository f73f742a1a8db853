"""What earlier runs left in a staging area, and whether a later run may resume it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.staging.journal import FORMAT, NAME, is_broken
from exporter.staging.layout import PLAN, WITHHELD
from exporter.staging.parquet import output_errors

DISCARDED = ".discarded-"
"""The prefix of a staging folder that is about to be removed."""


@dataclass(frozen=True)
class Complete:
    """A complete snapshot of an output: id, source and scope, and publication number."""

    snapshot_id: str
    subject: str
    publication: int


@dataclass(frozen=True)
class Published:
    """The snapshots of an output: the ids of all, and the complete ones."""

    ids: frozenset[str] = frozenset()
    complete: tuple[Complete, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last publication of a complete snapshot, 0 if there was none."""
        return max((one.publication for one in self.complete), default=0)


NOTHING = Published()


@dataclass(frozen=True)
class Unfinished:
    """A staging folder that an earlier run left: its snapshot's id, and how it began.

    `fingerprint` is of the settings, `subject` of the source and the scope. `publications` was
    `Published.last` when the run began. `replaces` is true if the run was allowed to replace a
    snapshot, `is_withheld` if the listed result waits for a person's decision, `is_publishing` if
    its publication has begun.
    """

    path: Path
    snapshot_id: str
    fingerprint: str
    subject: str
    publications: int
    replaces: bool
    started_at: datetime
    is_withheld: bool
    is_publishing: bool

    def newer(self, published: Published) -> str | None:
        """Return the complete snapshot of the same subject that was published since, if any.

        Publication numbers decide, so a wrong clock does no harm. A snapshot that was published
        from this very folder does not count.
        """
        since = [
            one
            for one in published.complete
            if one.subject == self.subject
            and one.publication > self.publications
            and not (self.is_publishing and one.snapshot_id == self.snapshot_id)
        ]
        return max(since, key=lambda one: one.publication).snapshot_id if since else None

    def outdated(self, published: Published, since: datetime, within: timedelta) -> str:
        """Return why no run may resume this one, as a clause; empty if one may.

        None may if it began before `since`, which is `within` ago, or if a newer snapshot is
        complete.
        """
        newer = self.newer(published)
        if newer is not None:
            return f"it began before {newer} was published, which is complete and newer"
        if self.started_at < since:
            return f"it is older than output.resume_within ({_hours(within)})"
        return ""


@dataclass(frozen=True)
class Unreadable:
    """A staging folder that no run can resume, and why, as a clause.

    `is_lasting` is true if the journal is broken, or of another version. Otherwise it could only
    not be opened at the moment.
    """

    path: Path
    reason: str
    is_lasting: bool = field(default=True)


class _DamagedError(Exception):
    """A journal that can be opened, but is incomplete."""


def leftovers(root: Path, *, only_look: bool = False) -> Iterator[Unfinished | Unreadable]:
    """Yield the folders of a staging root, by name; raises `OutputError`.

    With `only_look`, journals are not changed, because a run may be using them. Without it, the
    caller has the lock, and the journal of a killed run is recovered.
    """
    with output_errors(root):
        folders = sorted(path for path in root.iterdir()) if root.is_dir() else []
    for path in folders:
        if path.is_dir() and not path.name.startswith(DISCARDED):
            yield _read(path, "ro" if only_look else "rw")


def _read(path: Path, mode: str) -> Unfinished | Unreadable:
    if not (path / NAME).is_file():
        return Unreadable(path, "it has no journal")
    try:
        meta = _meta(path, mode)
        withheld, publishing = ((path / name).is_file() for name in (WITHHELD, PLAN))
        return Unfinished(
            path,
            meta["snapshot_id"],
            meta["fingerprint"],
            meta["subject"],
            int(meta["publications"]),
            meta["replaces"] == "yes",
            datetime.fromisoformat(meta["started_at"]).astimezone(UTC),
            # Once its publication has begun, a plain run finishes it.
            is_withheld=withheld and not publishing,
            is_publishing=publishing,
        )
    except _DamagedError:
        return Unreadable(path, "its journal is damaged")
    except (KeyError, ValueError):
        return Unreadable(path, "another version of this program began it")
    except sqlite3.Error as error:
        # The caller may be another user, who may not open it.
        shut = mode == "rw" and getattr(error, "sqlite_errorname", "") == "SQLITE_CANTOPEN"
        lasting = shut or is_broken(error)
        return Unreadable(path, f"its journal cannot be read ({error})", lasting)


def _meta(path: Path, mode: str) -> dict[str, str]:
    address = f"{(path / NAME).absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=5)) as database:
        if database.execute("PRAGMA user_version").fetchone() != (FORMAT,):
            raise ValueError("the journal is another version's")
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _DamagedError
        return dict(database.execute("SELECT name, value FROM meta").fetchall())


def _hours(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:g} hours" if hours >= 1 else f"{time.total_seconds():g} seconds"
