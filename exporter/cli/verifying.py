"""A verification as the terminal shows it: what is checked, and each problem on a line."""

from __future__ import annotations

from exporter.cli.printing import result_console
from exporter.cli.text import size
from exporter.output import open_existing
from exporter.settings import Settings
from exporter.snapshots.catalog import is_from_future
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest, rfc3339
from exporter.verification import Step, begin_verification
from exporter.wording import number


def verify_and_show(settings: Settings, snapshot_id: str) -> int:
    """Verify a snapshot and print each problem; return 0 if there is none, else 1.

    Raises `ExporterError` where there is no such snapshot, `IntegrityError` where its manifest
    cannot be read.
    """
    verification = begin_verification(open_existing(settings), snapshot_id)
    manifest, latest = verification.manifest, verification.latest_problem
    console = result_console()

    def show_step(step: Step) -> None:
        console.print(f"Checking {_named(step, manifest)} …", style="dim", soft_wrap=True)

    name = f"Snapshot {manifest.snapshot_id}"
    problems = 0
    for problem in verification.problems(show_step):
        problems += 1
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    if latest:
        console.print(f"  {latest}", style="red", markup=False, soft_wrap=True)
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


def _named(step: Step, manifest: Manifest) -> str:
    match step:
        case Step.FILES:
            bytes_ = size(sum(file.bytes for file in manifest.files))
            return f"{number(len(manifest.files), 'file')} of {bytes_} against the manifest"
        case Step.ROWS:
            rows = sum(table.rows for table in manifest.tables.values())
            return f"keys and formats of {number(rows, 'row')}"
        case Step.DERIVED:
            return "tags, blobs and totals, computed anew"
