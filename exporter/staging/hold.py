"""Holding an output: the lock of this machine, and for a bucket that of all machines."""

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
    """Hold an output within the block; `named` is the staging folder that the settings name.

    Others are told that it is held for `snapshot_id`, which is `PRUNE` for a prune; None is the id
    that a run takes by default. Raises `SettingsError` for an id that can be none, `LockedError` if
    the output is held still after `wait` seconds, or where another takes it, and `OutputError`
    where it cannot be locked.
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
    """Lock a local output, wherever it is staged, and the staging folder where it lies elsewhere.

    The first keeps out the runs that stage in another folder, the second those that see the folder
    and not this output. Where only one of the two is on a file system that knows locks, that one
    has to do.
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
        return await _lock_staging(held, staging_root(destination, named), name, wait)
    if named is not None:
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
