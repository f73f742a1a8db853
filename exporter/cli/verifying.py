"""A verification as the terminal shows it: what is checked, and each problem on a line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from exporter.cli.outputs import open_existing
from exporter.cli.printing import result_console
from exporter.cli.text import size
from exporter.derive.recheck import recompute_problems
from exporter.errors import ExporterError, OutputError
from exporter.settings import Settings
from exporter.snapshots.catalog import MENDED, catalog, false_latest, is_from_future, read_manifest
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest, rfc3339
from exporter.snapshots.verify import verify_files, verify_statements
from exporter.snapshots.verify_rows import as_parquet, verify_rows
from exporter.sql.memory import usable_memory
from exporter.storage.destination import Destination
from exporter.wording import number

NEWEST = "latest"
"""What stands for the newest complete snapshot's id."""
MOST_MEMORY = 1_000_000_000
"""What DuckDB's buffers may take while it compares rows, in bytes; beyond that it spills."""


def verify_and_show(settings: Settings, snapshot_id: str) -> int:
    """Verify a snapshot and print each problem; return 0 if there is none, else 1.

    Raises `ExporterError` where there is no such snapshot, `IntegrityError` where its manifest
    cannot be read.
    """
    destination = open_existing(settings)
    if snapshot_id == NEWEST:
        snapshot_id, latest = _latest(destination)
    else:
        latest = false_latest(destination, snapshot_id)
    manifest = _manifest(destination, snapshot_id)
    console = result_console()
    name = f"Snapshot {manifest.snapshot_id}"
    problems = 0
    for problem in _problems(console, destination, manifest):
        problems += 1
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    if latest:
        console.print(f"  {LATEST}: {latest}; {MENDED}", style="red", markup=False, soft_wrap=True)
    if problems:
        console.print(
            f"{name} is BROKEN: {number(problems, 'problem')}.", style="bold red", soft_wrap=True
        )
        return 1
    rest = "" if manifest.status == "complete" else " It is partial, as its manifest says."
    if is_from_future(manifest):
        rest += (
            f" It is from the future ({rfc3339(manifest.finished_at)}): the clock of the machine "
            "that made it was ahead, or this one's is behind."
        )
    if latest:
        console.print(
            f"{name} is what its manifest says, but {LATEST} is not what it should be.{rest}",
            style="bold red",
            soft_wrap=True,
        )
        return 1
    console.print(f"{name} is sound.{rest}", style="bold green", soft_wrap=True)
    return 0


def _manifest(destination: Destination, snapshot_id: str) -> Manifest:
    manifest = read_manifest(destination, snapshot_id)
    if manifest is None:
        raise ExporterError(
            f"There is no snapshot {snapshot_id} in {destination.url}: "
            "`registry-exporter list` shows those that there are."
        )
    return manifest


def _latest(destination: Destination) -> tuple[str, str]:
    """Return the newest complete snapshot's id, and how `latest.json` is not what it should be."""
    found = catalog(destination)
    statuses = {one.snapshot_id: one.status for one in found.snapshots}
    # A broken manifest may be the newest one's: that `latest.json` is a copy of it speaks for it.
    named = statuses.get(found.named or "")
    if found.named is not None and (named == "broken" or (named and found.newest is None)):
        return found.named, found.latest_problem
    if found.newest is None:
        raise ExporterError(
            f"There is no complete snapshot in {destination.url}: name another --output, or "
            "the id of a partial snapshot; `registry-exporter list` shows what there is."
            + (f" {LATEST} {found.latest_problem}; {MENDED}." if found.latest_problem else "")
        )
    return found.newest, found.latest_problem


def _problems(console: Console, destination: Destination, manifest: Manifest) -> Iterator[str]:
    bytes_ = size(sum(file.bytes for file in manifest.files))
    rows = sum(table.rows for table in manifest.tables.values())
    _step(console, f"{number(len(manifest.files), 'file')} of {bytes_} against the manifest")
    broken = verify_files(destination, manifest)
    yield from (f"{problem.where}: {problem.what}" for problem in broken)
    if broken:
        # What is computed from files that are not what they were would only say so again.
        return
    with _working() as working:
        _step(console, f"keys and formats of {number(rows, 'row')}")
        wrong = verify_rows(
            destination, manifest, working=Path(working), memory_limit=_memory_limit()
        )
        yield from (f"{problem.where}: {problem.what}" for problem in wrong)
        if wrong and not any(file.format == "parquet" for file in manifest.files):
            return  # What cannot be read cannot be computed with either.
        _step(console, "tags, blobs and totals, computed anew")
        yield from _what_does_not_follow(destination, manifest, Path(working))


@contextmanager
def _working() -> Iterator[str]:
    """Give a folder for what is compared on this machine; raises `OutputError` without a place."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="registry-exporter-")
    except OSError as error:
        raise OutputError(
            f"There is no place for temporary files ({error.strerror}): name a folder that can be "
            "written in TMPDIR."
        ) from None
    with folder as working:
        yield working


def _what_does_not_follow(
    destination: Destination, manifest: Manifest, working: Path
) -> Iterator[str]:
    """Yield what in the derived tables, and then in the manifest, is not what follows."""
    with as_parquet(destination, manifest, working=working, memory_limit=_memory_limit()) as parts:
        problems = recompute_problems(parts, working)
        yield from problems
        if not problems:
            for problem in verify_statements(manifest, parts):
                yield f"{problem.where}: {problem.what}"


def _memory_limit() -> str:
    return f"{min(MOST_MEMORY, usable_memory() // 2)}B"


def _step(console: Console, what: str) -> None:
    console.print(f"Checking {what} …", style="dim", soft_wrap=True)
