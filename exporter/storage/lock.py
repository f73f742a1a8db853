"""The lock of a machine: one run at a time per output.

It is `flock` on a file, so the kernel releases it when its holder dies. The file's content only
names the holder. For a local output the file is inside the output, so two machines that share it
over NFS exclude each other, unless the mount has `nolock` or `local_lock=flock`. For a bucket the
file is in the staging area on this machine, and the bucket's own lock (`lease`) excludes other
machines.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from exporter.errors import LockedError, OutputError
from exporter.storage.durable import make_folder
from exporter.storage.os_errors import output_errors
from exporter.wording import option

NAME = ".lock"
_SIZE = 1024
_POLL = 0.2
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors of shares without `flock`."""
PRUNE = "(prune)"
"""Takes the place of the snapshot's id while the holder prunes; no snapshot can have this id."""
LOAD = "(load)"
"""Takes its place while the holder loads a warehouse, which is what is locked then."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class NoLocksError(OutputError):
    """The file system has no locks."""


@dataclass(frozen=True)
class Holder:
    """The holder of a lock: host, process id, start as RFC 3339, and its snapshot.

    For a prune, the snapshot is `PRUNE`, for a load into a warehouse `LOAD`.
    """

    host: str
    pid: int
    started_at: str
    snapshot_id: str


class Lock:
    """The lock file `<root>/.lock`, as a context manager; `what` names its subject in messages.

    Entering raises `LockedError`, which names the holder, if another process has it, `NoLocksError`
    if the file system has none, and `OutputError` if the file cannot be written.
    """

    def __init__(self, root: Path, snapshot_id: str, what: str = "the output") -> None:
        self._path = root / NAME
        self._what = what
        self.holder = Holder(
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            snapshot_id=snapshot_id,
        )
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Acquire the lock."""
        with output_errors(f"lock {self._path}"):
            make_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._acquire(descriptor)
                self._say_who(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock; its file stays, because removing it would race with the next run."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def place(self) -> str | None:
        """Return a name that is equal for two processes only if this lock keeps them apart.

        It consists of this machine's boot and the locked file; None if the system does not tell
        its boots apart, or the lock is not held.
        """
        if self._descriptor is None or not _BOOT.exists():
            return None
        file = os.fstat(self._descriptor)
        return f"{_BOOT.read_text().strip()}:{file.st_dev}:{file.st_ino}"

    def _acquire(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # It depends on the share.
            raise LockedError(self._refusal(descriptor)) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise NoLocksError(
                f"Cannot lock {self._path}: its file system knows no locks; name a folder on this "
                "machine's own disk in output.staging."
            ) from None

    def _say_who(self, descriptor: int) -> None:
        try:
            # One write of a fixed size: a reader never finds half of it.
            os.pwrite(descriptor, orjson.dumps(asdict(self.holder)).ljust(_SIZE), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # A full disk must not stop a prune: the lock also holds without a name.
            with suppress(OSError):
                os.ftruncate(descriptor, 0)

    def _refusal(self, descriptor: int) -> str:
        holder = _read(descriptor)
        if holder is None:
            return refusal(f"{self._what} ({self._path})", "", self.holder.snapshot_id)
        who = f"process {holder.pid} on {holder.host}, started at {holder.started_at}"
        return refusal(f"{self._what} ({self._path})", who, holder.snapshot_id)


def refusal(what: str, who: str, snapshot_id: str) -> str:
    """Return the message that `what` is locked, by a run, a prune or a load.

    `who` is the holder's process, empty if it is unknown.
    """
    holder = {PRUNE: "A prune", LOAD: "Another load"}.get(snapshot_id, "Another run")
    if not who:
        who = "its holder has not said who it is yet"
    elif snapshot_id not in (PRUNE, LOAD):
        who += f" for snapshot {snapshot_id}"
    if snapshot_id == LOAD:
        return f"{holder} holds {what}: {who}; let it finish, and run again."
    return f"{holder} holds {what}: {who}; let it finish, or use {option('wait')} to wait for it."


@asynccontextmanager
async def locked(
    root: Path, name: Callable[[], str], wait: float, what: str = "the output"
) -> AsyncIterator[Lock]:
    """Hold the lock of `root`; raises `LockedError` if it is still locked after `wait` seconds.

    Other runs are told that `what` is locked for the snapshot that `name` returns at that moment.
    """
    deadline = time.monotonic() + wait
    with ExitStack() as held:
        while True:
            try:
                # A new one for each attempt, because it states when the lock was taken.
                one = Lock(root, name(), what)
                held.enter_context(one)
                break
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(_POLL)
        yield one


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**orjson.loads(os.pread(descriptor, _SIZE, 0)))
    except (orjson.JSONDecodeError, TypeError):
        return None
