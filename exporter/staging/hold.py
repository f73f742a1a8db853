"""Locking an output: by this machine's lock, and for a bucket also by a lock of all machines."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from exporter.errors import OutputError
from exporter.staging.layout import check_snapshot_id, new_snapshot_id
from exporter.staging.output_id import give_id
from exporter.staging.workspace import staging_root
from exporter.storage.destination import Destination
from exporter.storage.durable import make_folder
from exporter.storage.local import Folder
from exporter.storage.lock import PRUNE, Lock, NoLocksError, locked

log = structlog.get_logger()


@asynccontextmanager
async def hold(
    destination: Destination, named: Path | None, snapshot_id: str | None, wait: float
) -> AsyncIterator[None]:
    """Lock an output within the block; `named` is the staging folder in the settings.

    Other runs are told that it is locked for `snapshot_id`, which is `PRUNE` for a prune; None
    means a run's default id. Raises `SettingsError` for an invalid id, `LockedError` if the output
    is still locked after `wait` seconds, or if another run takes the lock, and `OutputError` if it
    cannot be locked.
    """
    if snapshot_id not in (None, PRUNE):
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
    """Lock a local output, and also a staging folder that lies elsewhere.

    The output's lock excludes runs that stage in another folder. The staging folder's lock excludes
    runs that see that folder, but not this output. If only one of the two file systems has locks,
    its lock must be enough.
    """
    if not isinstance(destination, Folder):
        return await _lock_staging(held, staging_root(destination, named), name, wait)
    deadline = time.monotonic() + wait
    inside = staging_root(destination, None)
    try:
        lock = await held.enter_async_context(locked(inside, name, wait))
    except NoLocksError:
        if named is None:
            raise
        log.warning(
            "lock_is_this_machines",
            message=f"{destination.url} is on a file system without locks, so runs on other "
            "machines are not kept from it: see to it that only one machine exports there.",
        )
        give_id(destination)
        return await _lock_staging(held, staging_root(destination, named), name, wait)
    if named is not None:
        give_id(destination)
        left = max(0.0, deadline - time.monotonic())
        with suppress(NoLocksError):
            await _lock_staging(held, staging_root(destination, named), name, left)
    return lock


async def _lock_staging(
    held: AsyncExitStack, root: Path, name: Callable[[], str], wait: float
) -> Lock:
    try:
        make_folder(root, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"Cannot stage in {root}: {error.strerror}; name a folder that can be written in "
            "output.staging."
        ) from None
    return await held.enter_async_context(locked(root, name, wait, "the staging folder"))


def _name(snapshot_id: str | None) -> str:
    return new_snapshot_id(datetime.now(UTC)) if snapshot_id is None else snapshot_id
