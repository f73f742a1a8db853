"""Pruning: what retention chooses is removed, and what killed runs left behind with it."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from exporter.snapshots.catalog import snapshots
from exporter.snapshots.retention import (
    Choice,
    Policy,
    choose,
    remove,
    remove_orphans,
    surplus_partial,
)
from exporter.storage.destination import Destination

log = structlog.get_logger()


def prune(
    destination: Destination,
    policy: Policy,
    *,
    staged: Collection[str] = (),
    dry_run: bool = False,
) -> Choice:
    """Remove the snapshots that `policy` does not keep; return what was chosen and why.

    The caller holds the lock; `staged` are the ids of snapshots that are still being made. With
    `dry_run` nothing is touched. Raises `OutputError`.
    """
    choice = choose(snapshots(destination), policy)
    if not dry_run:
        remove(destination, choice.remove)
        orphans = remove_orphans(destination, staged)
        log.info("pruned", removed=list(choice.remove), orphaned_files=len(orphans))
    return choice


def prune_partial(destination: Destination, most: int) -> list[str]:
    """Remove all but the newest `most` partial snapshots of each source and scope; return which.

    Nothing else is touched: this is for a run that did not become the latest snapshot. The caller
    holds the lock. Raises `OutputError`.
    """
    surplus = surplus_partial(snapshots(destination), most)
    if surplus:
        remove(destination, surplus)
        log.info("pruned_partial", removed=surplus)
    return surplus
