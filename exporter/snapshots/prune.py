"""Pruning: what retention chooses is removed, and what killed runs left behind with it."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from exporter.snapshots.catalog import snapshots
from exporter.snapshots.publish import OnStep
from exporter.snapshots.retention import (
    Choice,
    Policy,
    choose,
    remove,
    remove_orphans,
    surplus_unsound,
)
from exporter.storage.destination import Destination

log = structlog.get_logger()


def prune(
    destination: Destination,
    policy: Policy,
    *,
    staged: Collection[str] = (),
    dry_run: bool = False,
    on_step: OnStep | None = None,
) -> Choice:
    """Remove the snapshots that `policy` does not keep; return what was chosen and why.

    The caller holds the lock; `staged` are the ids of snapshots that are still being made. With
    `dry_run` nothing is touched. `on_step` is told of each step once it is done. Raises
    `OutputError`.
    """
    choice = choose(snapshots(destination), policy)
    if not dry_run:
        remove(destination, choice.remove, on_step=on_step)
        orphans = remove_orphans(destination, staged, on_step=on_step)
        log.info("pruned", removed=list(choice.remove), orphaned_files=len(orphans))
    return choice


def prune_unsound(
    destination: Destination, most: int, *, on_step: OnStep | None = None
) -> list[str]:
    """Remove the snapshots that `surplus_unsound` names, given `most`, and return their ids.

    Nothing else is touched: this is for a run that did not become the latest snapshot. The caller
    holds the lock. `on_step` is told of each step once it is done. Raises `OutputError`.
    """
    surplus = surplus_unsound(snapshots(destination), most)
    if surplus:
        remove(destination, surplus, on_step=on_step)
        log.info("pruned_partial", removed=surplus)
    return surplus
