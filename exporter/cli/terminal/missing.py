"""What a published snapshot lacks, in a sentence for a person who is shown no summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.tables.schemas import COMPLETE_STATUSES
from exporter.wording import number

if TYPE_CHECKING:
    from exporter.snapshots.highlights import Highlights
    from exporter.snapshots.manifest import Manifest

MISSING_SHOWN = 10
"""How many missing listings are named."""


def partial_sentence(manifest: Manifest, found: Highlights | None) -> str:
    """Return which listings of a partial snapshot are missing."""
    missing = sum(
        count for status, count in manifest.coverage.items() if status not in COMPLETE_STATUSES
    )
    known = [f"{one} ({one.status})" for one in (found.missing if found else ())]
    return (
        f"Snapshot {manifest.snapshot_id} is partial: {missing:,} of "
        f"{number(sum(manifest.coverage.values()), 'listing')} "
        f"{'is' if missing == 1 else 'are'} not complete{_some(known, missing)}. The table "
        "`coverage` has the reasons; latest.json does not name a partial snapshot."
    )


def vanished_sentence(manifest: Manifest, found: Highlights | None) -> str:
    """Return which listings of a complete snapshot vanished while it was taken."""
    vanished = manifest.coverage.get("vanished", 0)
    known = [str(one) for one in (found.vanished if found else ())]
    return (
        f"Snapshot {manifest.snapshot_id} lacks what vanished during the run, {vanished:,} of "
        f"{number(sum(manifest.coverage.values()), 'listing')}{_some(known, vanished)}. "
        "latest.json does not name it; the next run lists again."
    )


def _some(names: list[str], count: int) -> str:
    """Return a colon, the first of the names, and how many of `count` it does not name."""
    shown = names[:MISSING_SHOWN]
    if shown and count > len(shown):
        shown.append(f"{count - len(shown)} more")
    return f": {', '.join(shown)}" if shown else ""
