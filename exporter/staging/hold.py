"""Holding an output: the lock of this machine, and for a bucket that of all machines."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from exporter.errors import OutputError
from exporter.staging.layout import check_snapshot_id, new_snapshot_id
from exporter.staging.workspace import lock_root, staging_root
from exporter.storage.destination import Destination
from exporter.storage.durable import make_folder
from exporter.storage.local import Folder
from exporter.storage.lock import Lock, NoLocksError, locked

log = structlog.get_logger()


@asynccontextmanager
async def hold(
    destination: Destination, named: Path | None, snapshot_id: str | None, wait: float
) -> AsyncIterator[None]:
    """Hold an output within the block; `named` is the staging folder that the settings name.

    Others are told that it is held for `snapshot_id`; None is the id that a run takes by default.
    Raises `SettingsError` for an id that can be none, `LockedError` if the output is held still
    after `wait` seconds, or where another takes it, and `OutputError` where it cannot be locked.
    """
    if snapshot_id is not None:
        check_snapshot_id(snapshot_id)
    deadline = time.monotonic() + wait
    async with AsyncExitStack() as held:
        lock = await _lock(held, destination, named, partial(_name, snapshot_id), wait)
        left = max(0.0, deadline - time.monotonic())
        await held.enter_async_context(destination.leased(lock.holder, lock.place(), left))
        yield


async def _lock(
    held: AsyncExitStack,
    destination: Destination,
    named: Path | None,
    name: Callable[[], str],
    wait: float,
) -> Lock:
    root = lock_root(destination, named)
    if not isinstance(destination, Folder):
        _make_stageable(root)
    try:
        return await held.enter_async_context(locked(root, name, wait))
    except NoLocksError:
        if named is None or not isinstance(destination, Folder):
            raise
    log.warning(
        "lock_is_this_machines",
        message=f"{destination.url} is on a file system without locks, so runs on other machines "
        "are not kept from it: see to it that only one machine exports there.",
    )
    return await held.enter_async_context(locked(staging_root(destination, named), name, wait))


def _name(snapshot_id: str | None) -> str:
    return snapshot_id or new_snapshot_id(datetime.now(UTC))


def _make_stageable(root: Path) -> None:
    """Make the folder that a bucket's snapshots are staged in; raises `OutputError`."""
    try:
        make_folder(root, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"Cannot stage in {root}: {error.strerror}; name a folder that can be written in "
            "output.staging."
        ) from None
