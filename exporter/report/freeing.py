"""What deleting images would free, by their age and by repository: the answers of `reclaim`."""

from __future__ import annotations

from datetime import timedelta

from exporter.analyze.reclaim import ReclaimPlan, reclaim
from exporter.analyze.reclaim_policy import ReclaimPolicy
from exporter.report.content import Freed, Freeing, FreeingRepository
from exporter.snapshots.reader import Snapshot

UNTAGGED_DAYS = (0, 30, 90, 180, 365)
"""The least ages of untagged images that are asked about; 0 is all of them."""
OLD_DAYS = 365
"""The least age of images that are asked about whether they have a tag or not."""


def read_freeing(snapshot: Snapshot, most: int) -> Freeing:
    """Return what deleting would free, with at most so many repositories.

    Raises what `reclaim` raises.
    """
    steps = []
    for days in UNTAGGED_DAYS:
        with reclaim(snapshot, _policy(days, untagged=True)) as plan:
            steps.append(_freed(plan, days, untagged=True))
            if not days:
                left_out, unseen = len(plan.left_out), len(plan.unseen)
                count = plan.count("repositories")
                rows = plan.largest("repositories", most).to_pylist()
    with reclaim(snapshot, _policy(OLD_DAYS, untagged=False)) as plan:
        steps.append(_freed(plan, OLD_DAYS, untagged=False))
    repositories = tuple(
        FreeingRepository(
            row["repository_name"], row["image_count"], row["alone_size"], row["logical_size"]
        )
        for row in rows
    )
    return Freeing(tuple(steps), repositories, count, left_out, unseen)


def _policy(days: int, *, untagged: bool) -> ReclaimPolicy:
    return ReclaimPolicy(untagged=untagged, older_than=timedelta(days=days) if days else None)


def _freed(plan: ReclaimPlan, days: int, *, untagged: bool) -> Freed:
    return Freed(days, untagged, plan.image_count, plan.freed_size)
