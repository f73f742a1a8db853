"""Verification of a snapshot: its checks, in order.

1. `latest.json`: it is a copy of the manifest of the newest complete snapshot.
2. The files against the manifest: names, sizes, SHA-256, rows, columns (`snapshots/verify.py`).
3. The rows: keys are unique, and all formats have the same rows (`snapshots/verify_rows.py`).
4. Derived data: tags, blobs and totals computed again (`derive/recheck.py`), and the manifest's own
   status, totals and coverage.

A check is skipped if it needs something that an earlier one has found broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from exporter.derive.recheck import recompute_problems
from exporter.errors import ExporterError
from exporter.output import SettingsOrUrl, open_existing, settings_of
from exporter.snapshots.catalog import catalog
from exporter.snapshots.files import temporary_folder
from exporter.snapshots.latest import CORRECTED, false_latest
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.selection import NEWEST, read_snapshot
from exporter.snapshots.verify import Problem, verify_files, verify_statements
from exporter.snapshots.verify_rows import verify_rows
from exporter.sql.memory import limit_for_readers
from exporter.storage.destination import Destination
from exporter.tables.schemas import TABLES
from exporter.wording import option

_MEMORY = 640_000_000
"""Bytes that DuckDB may take to compare rows: enough for ten million images, within a gigabyte."""


class Step(Enum):
    """A slow step of a verification; `latest.json` is read before the first."""

    FILES = auto()
    ROWS = auto()
    DERIVED = auto()


@dataclass(frozen=True)
class Verification:
    """A verification that has begun: the snapshot's manifest is read, and so is `latest.json`.

    `latest_problem` says what is wrong with `latest.json`; None if nothing is, or if the user named
    another snapshot.
    """

    destination: Destination
    manifest: Manifest
    latest_problem: Problem | None

    def problems(self, on_step: Callable[[Step], None] = lambda _step: None) -> Iterator[Problem]:
        """Yield the problems of the snapshot itself, as they are found.

        `on_step` is called before each step. Raises `OutputError` if the output, or the folder for
        temporary files, cannot be used.
        """
        on_step(Step.FILES)
        broken = verify_files(self.destination, self.manifest)
        yield from broken
        if broken:
            # Computing from changed files would only report the same problem again.
            return
        with temporary_folder() as folder, Snapshot(self.destination, self.manifest) as snapshot:
            working = Path(folder)
            on_step(Step.ROWS)
            wrong = verify_rows(
                snapshot,
                self.destination,
                working=working,
                memory_limit=limit_for_readers(_MEMORY),
            )
            yield from wrong
            if wrong and not any(file.format == "parquet" for file in self.manifest.files):
                return  # Unreadable tables cannot be computed with either.
            on_step(Step.DERIVED)
            yield from _what_does_not_follow(snapshot, working)


def verify(output: SettingsOrUrl, snapshot_id: str = NEWEST) -> list[Problem]:
    """Check a snapshot in every way of this module; return the problems, none if it is sound.

    `latest` is the newest complete snapshot. For it, and for the snapshot in `latest.json`, a wrong
    `latest.json` is a problem too. Every file is read. Raises `ExporterError` if there is no such
    snapshot, `IntegrityError` if its manifest cannot be read, `OutputError` and `SettingsError`.
    """
    verification = begin_verification(open_existing(settings_of(output)), snapshot_id)
    problems = list(verification.problems())
    latest = verification.latest_problem
    return [*problems, latest] if latest else problems


def begin_verification(destination: Destination, snapshot_id: str = NEWEST) -> Verification:
    """Read the manifest of a snapshot and check `latest.json`.

    `latest` is the newest complete snapshot. Raises `ExporterError` if there is no such snapshot,
    `IntegrityError` if its manifest cannot be read, and `OutputError`.
    """
    if snapshot_id == NEWEST:
        snapshot_id, latest = _newest(destination)
    else:
        latest = false_latest(destination, snapshot_id)
    with read_snapshot(destination, snapshot_id) as snapshot:
        problem = Problem(LATEST, f"{latest}; {CORRECTED}") if latest else None
        return Verification(destination, snapshot.manifest, problem)


def _newest(destination: Destination) -> tuple[str, str]:
    """Return the newest complete snapshot's id, and what is wrong with `latest.json`."""
    found = catalog(destination)
    statuses = {one.snapshot_id: one.status for one in found.snapshots}
    # A broken manifest may be the newest one's, if `latest.json` is a copy of it.
    named = statuses.get(found.named or "")
    if found.named is not None and (named == "broken" or (named and found.newest is None)):
        return found.named, found.latest_problem
    if found.newest is None:
        raise ExporterError(
            f"There is no complete snapshot in {destination.url}: name another {option('output')}, "
            "or the id of a partial snapshot; `registry-exporter list` shows what there is."
            + (f" {LATEST} {found.latest_problem}; {CORRECTED}." if found.latest_problem else "")
        )
    return found.newest, found.latest_problem


def _what_does_not_follow(snapshot: Snapshot, working: Path) -> Iterator[Problem]:
    """Yield the problems of the derived tables, and then of the manifest's own statements."""
    parts = {name: snapshot.paths(name) for name in snapshot.tables if name in TABLES}
    problems = recompute_problems(parts, working)
    yield from (Problem("derived tables", problem) for problem in problems)
    if not problems:
        yield from verify_statements(snapshot.manifest, parts)
