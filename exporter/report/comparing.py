"""What has changed since the snapshot that a report compares with: the answers of `diff`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.analyze.diff import Diff, diff
from exporter.report.content import ChangedScope, Changes, MovedTag, Uncompared
from exporter.snapshots.reader import Snapshot
from exporter.tables.answers import MEASURES


def read_changes(before: Snapshot, after: Snapshot, most: int) -> Changes:
    """Return what has changed, with at most so many repositories, tags and registries.

    Raises what `diff` raises.
    """
    with diff(before, after) as found:
        return Changes(
            before=before.manifest,
            counts=found.counts,
            deltas=_deltas(found),
            repositories=tuple(
                _scope(row)
                for moved in (found.grown, found.shrunk)
                for row in moved(most, "repository").to_pylist()
            ),
            moved=tuple(
                MovedTag(
                    row["repository_name"] or "",
                    row["tag"],
                    row["before_digest"] or "",
                    row["digest"] or "",
                    row["size_delta"],
                )
                for row in found.moved_tags(most).to_pylist()
            ),
            unknown=tuple(
                Uncompared(row["registry_id"] or "", row["name"] or "", row["detail"])
                for row in found.unknown(most).to_pylist()
            ),
        )


def _deltas(found: Diff) -> Mapping[str, int]:
    """Return the differences of the whole that are known, by measure."""
    totals: Mapping[str, int | None] = found.totals
    if totals["stored_size_delta"] is None:
        totals = found.within_scope() or {}
    sides = ((one, totals.get(f"before_{one}"), totals.get(f"after_{one}")) for one in MEASURES)
    return {
        measure: after - before
        for measure, before, after in sides
        if before is not None and after is not None
    }


def _scope(row: Mapping[str, Any]) -> ChangedScope:
    before, after = row["before_stored_size"], row["after_stored_size"]
    return ChangedScope(row["scope_id"], before, after, row["stored_size_delta"])
