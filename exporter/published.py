"""Functions for a program that uses an output: open, list and prune its snapshots.

Each function takes the settings of an export or the URL of its output. With a URL, a bucket's
credentials come from the environment, as they do for a command with `--output`. Functions that only
read are plain calls: in an event loop that must not block, call them through `asyncio.to_thread`.
`prune` may wait for another run, so it is awaited.
"""

from __future__ import annotations

import asyncio

from exporter.output import SettingsOrUrl, open_existing, settings_of
from exporter.snapshots.catalog import SnapshotInfo, catalog
from exporter.snapshots.prune import prune as prune_under_lock
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.retention import Choice, Policy
from exporter.snapshots.selection import NEWEST, read_snapshot
from exporter.staging.hold import hold
from exporter.staging.workspace import staged_ids, staging_root
from exporter.storage.access import Access
from exporter.storage.lock import PRUNE
from exporter.threads import Stop, in_thread


def open_snapshot(
    output: SettingsOrUrl, snapshot_id: str = NEWEST, *, access: Access | None = None
) -> Snapshot:
    """Open a snapshot for reading; a `with` block closes it.

    `latest` is the snapshot in `latest.json`, the newest complete one. `access` is how to reach a
    bucket, by default by settings and environment. `exporter.snapshots.reader` says what is checked
    when.

    Raises `ExporterError` if there is no such snapshot, `IntegrityError` if its manifest is broken
    or of a newer major format, `OutputError` if the output cannot be read, and `SettingsError`.
    """
    return read_snapshot(open_existing(settings_of(output), access), snapshot_id)


def list_snapshots(output: SettingsOrUrl) -> list[SnapshotInfo]:
    """Return the snapshots of an output, newest first, broken ones at the end.

    Raises `OutputError`, also for a missing folder, and `SettingsError`.
    """
    return catalog(open_existing(settings_of(output))).snapshots


async def prune(
    output: SettingsOrUrl,
    *,
    keep_last: int = 0,
    keep_daily: int = 0,
    keep_weekly: int = 0,
    keep_monthly: int = 0,
    keep_partial: int | None = None,
    dry_run: bool = False,
    wait: float = 0.0,
) -> Choice:
    """Remove the snapshots that no rule keeps, and the remains of killed runs; return the choice.

    The rules are those of the command: the newest N, and the newest of each of the last N days,
    weeks and months that have one; the newest N partial ones. Without any, `output.keep` of the
    settings applies. In the result, `remove` has the ids that were removed, or would be with
    `dry_run`, and `keep` says why each of the others stays. `wait` is how many seconds to wait for
    another run that has the output's lock.

    Raises `SettingsError` if there is no rule at all, `LockedError` and `OutputError`.
    """
    settings = settings_of(output)
    policy = Policy(keep_last, keep_daily, keep_weekly, keep_monthly, keep_partial)
    if policy == Policy() and settings.output.keep is not None:
        policy = Policy(**settings.output.keep.model_dump())
    destination = open_existing(settings)
    # Chosen before anything is written, so a mistake in the policy or the URL leaves no trace.
    choice = await asyncio.to_thread(prune_under_lock, destination, policy, dry_run=True)
    if dry_run:
        return choice
    staging = settings.output.staging
    async with hold(destination, staging, PRUNE, wait):
        staged = staged_ids(staging_root(destination, staging))

        def prune_until(stop: Stop) -> Choice:
            return prune_under_lock(
                destination,
                policy,
                staged=staged,
                resume_within=settings.output.resume_within,
                on_step=lambda _: stop.check(),
            )

        return await in_thread(prune_until)
