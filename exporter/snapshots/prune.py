"""Pruning: removes the snapshots that retention chooses, and the remains of killed runs."""

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
    """Remove the snapshots that `policy` does not keep; return the choice with its reasons.

    The caller has the lock. `staged` are the ids of snapshots that are still being made. Another
    machine may have staging for a half published snapshot, so files that no manifest names stay for
    `resume_within`, a day at least. With `dry_run` nothing changes. `on_step` is called with each
    step once it is done. Raises `OutputError`.
    """
    choice = choose(snapshots(destination), policy)
    if not dry_run:
        before = time.time() - max(resume_within, _RESUMABLE).total_seconds()
        try:
            remove(destination, choice.remove, on_step=on_step)
        except OutputError:
            # The disk may be full with the remains of killed runs.
            remove_orphans(destination, staged, before=before, on_step=on_step)
            remove(destination, choice.remove, on_step=on_step)
        orphans = remove_orphans(destination, staged, before=before, on_step=on_step)
        log.info("pruned", removed=list(choice.remove), orphaned_files=len(orphans))
    return choice


def prune_unsound(
    destination: Destination, most: int, *, on_step: OnStep | None = None
) -> list[str]:
    """Remove the snapshots that `surplus_unsound` names, given `most`, and return their ids.

    Nothing else changes: this is for a run whose snapshot did not become the latest. The caller has
    the lock. `on_step` is called with each step once it is done. Raises `OutputError`.
    """
    surplus = surplus_unsound(snapshots(destination), most)
    if surplus:
        remove(destination, surplus, on_step=on_step)
        log.info("pruned_partial", removed=surplus)
    return surplus
