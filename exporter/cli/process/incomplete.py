"""Says that an answer may be incomplete because a snapshot is partial, once, on stderr."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.cli.process import messages
from exporter.errors import PARTIAL_EXIT_CODE
from exporter.snapshots.manifest import Manifest
from exporter.tables.schemas import COMPLETE_STATUSES
from exporter.wording import number


def say_partial(*manifests: Manifest) -> int:
    """Write a sentence about the partial snapshots among these; return the exit code, 3 or 0."""
    partial = [one for one in manifests if one.status == "partial"]
    if not partial:
        return 0
    clause = f"{_named(partial)}, so this answer may be incomplete"
    say_incomplete(clause, partial[-1].snapshot_id)
    return PARTIAL_EXIT_CODE


def say_incomplete(clause: str, snapshot_id: str | None = None) -> None:
    """Write a clause about what an answer lacks as a sentence, with where to look.

    `snapshot_id` is the snapshot that lacks it, if it may be another than the latest.
    """
    which = f" --snapshot {snapshot_id}" if snapshot_id else ""
    messages.write(
        f"{clause}; `registry-exporter query --name coverage-gaps{which}` shows what is missing.",
        event="answer_incomplete",
        level="warning",
    )


def say_unreadable(snapshot_id: str) -> None:
    """Write a sentence about a snapshot that an answer lacks, because it cannot be read."""
    messages.write(
        f"Snapshot {snapshot_id} cannot be read, so this answer lacks it; `registry-exporter "
        f"verify {snapshot_id}` tells what is wrong with it.",
        event="answer_incomplete",
        level="warning",
    )


def _named(partial: Sequence[Manifest]) -> str:
    if len(partial) > 1:
        return f"{len(partial)} of the snapshots are partial"
    (one,) = partial
    missing = sum(
        count for status, count in one.coverage.items() if status not in COMPLETE_STATUSES
    )
    return f"Snapshot {one.snapshot_id} is partial ({number(missing, 'listing')} missing)"
