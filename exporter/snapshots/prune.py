"""Pruning: what retention chooses is removed, and what killed runs left behind with it."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta

import structlog

from exporter.errors import OutputError
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

_RESUMABLE = timedelta(days=1)
"""For how long a run may be resumed by default (`output.resume_within`)."""


def prune(
    destination: Destination,
    policy: Policy,
    *,
    staged: Collection[str] = (),
    resume_within: timedelta = timedelta(0),
    dry_run: bool = False,
    on_step: OnStep | None = None,
) -> Choice:
    """Remove the snapshots that `policy` does not keep; return what was chosen and why.

    The caller holds the lock; `staged` are the ids of snapshots that are still being made. One may
    be half published that is staged where nobody here knows, so files that no manifest names stay
    for `resume_within`, a day at least. With `dry_run` nothing is touched. `on_step` is told of
    each step once it is done. Raises `OutputError`.
    """
    choice = choose(snapshots(destination), policy)
    if not dry_run:
        before = time.time() - max(resume_within, _RESUMABLE).total_seconds()
        try:
            remove(destination, choice.remove, on_step=on_step)
        except OutputError:
            # The space that is missing may be that of what killed runs left.
            remove_orphans(destination, staged, before=before, on_step=on_step)
            remove(destination, choice.remove, on_step=on_step)
        orphans = remove_orphans(destination, staged, before=before, on_step=on_step)
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
