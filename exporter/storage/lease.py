"""The lock of a bucket: one run at a time from all machines, by conditional writes.

An object `.lock` names the holder. A run writes it only if it is unchanged since it was read, so if
two runs take it at once, one is refused. The holder renews it every few seconds. Another run
watches it. If it changes, the holder is alive. If it does not change for `LEASE` seconds by the
watcher's own clock, the watcher takes it. So no two clocks are compared, and a killed holder costs
a minute. A holder whose lock was taken writes nothing more: `confirm` is called before every write.

A killed holder on the same machine costs nothing. A run that has the machine's lock, and finds its
own `place` in the object, knows that the holder is gone.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any, Protocol

import orjson
import structlog

from exporter.errors import LockedError, NoConditionsError, OutputError
from exporter.storage.destination import Version
from exporter.storage.lock import LOAD, PRUNE, Holder, refusal

log = structlog.get_logger()

NAME = ".lock"
LEASE = 60.0
"""Seconds without a renewal after which another run may take the lock."""
RENEWAL = 10.0
"""Seconds between two renewals."""
_POLL = 1.0
_FREE = orjson.dumps({"state": "free"})
_NEVER = {"e_tag": '"00000000000000000000000000000000"', "version": "1"}


class Store(Protocol):
    """The operations of a bucket that a lease needs; see `exporter.storage.object_store`."""

    url: str
    confirm: Callable[[str], None]

    def read_version(self, path: str) -> Version:
        """Return an object's content and its version."""

    def write_if(self, path: str, data: bytes, read: Version) -> Version | None:
        """Write an object if it is unchanged since it was read; return None if it has changed."""

    def remove(self, path: str) -> None:
        """Remove an object."""

    def give_conditions_up(self) -> None:
        """Treat the store as one without conditional writes."""


@asynccontextmanager
async def leased(
    store: Store, holder: Holder, place: str | None, wait: float
) -> AsyncIterator[None]:
    """Hold the bucket's lock within the block, and let the store confirm it before each write.

    `place` is equal for two processes only if the machine's lock keeps them apart. Raises
    `LockedError` if another run still has the lock after `wait` seconds, or takes it later, and
    `OutputError` if the bucket cannot be written. If the store has no conditional writes, a warning
    says so, and no run is excluded.
    """
    lease = Lease(store, holder, place)
    if not await lease.take(wait):
        log.warning(
            "lock_is_this_machines",
            message=f"{store.url} takes no conditional writes, so runs on other machines are not "
            "kept from it: see to it that only one machine exports there.",
        )
        store.give_conditions_up()
        yield
        return
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    before = store.confirm
    store.confirm = lease.confirm
    try:
        try:
            if task is not None:
                lease.keep(lambda: loop.call_soon_threadsafe(task.cancel))
            yield
        finally:
            store.confirm = before
            await asyncio.to_thread(lease.release)
    except asyncio.CancelledError:
        if not lease.lost_to or task is None:
            raise
        task.uncancel()
        raise LockedError(lease.lost_to) from None


class Lease:
    """The lock as one run sees it. All methods but `take` may be called from any thread."""

    def __init__(self, store: Store, holder: Holder, place: str | None) -> None:
        self.lost_to = ""
        """A sentence that says who has taken the lock, once a run has."""
        self._store = store
        self._place = place
        self._record = {"state": "held", "token": uuid.uuid4().hex, **asdict(holder)}
        self._version = Version(None)
        self._renewals = 0
        self._renewed_at = 0.0
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None

    async def take(self, wait: float) -> bool:
        """Take the lock; return False if the store has no conditional writes.

        Raises `LockedError` and `OutputError`, as `leased` does.
        """
        deadline = time.monotonic() + wait
        watched: Version | None = None
        since, lives = 0.0, False
        while True:
            there = await asyncio.to_thread(self._store.read_version, NAME)
            record, now = _record(there), time.monotonic()
            if there != watched:
                lives = watched is not None
                watched, since = there, now
                if record is not None and not lives and not self._is_ours(record):
                    log.info("lock_watched", message=_watched(self._store.url, record))
            expired = now - since >= _lease_of(record)
            if record is None or self._is_ours(record) or expired:
                try:
                    if await asyncio.to_thread(self._write, there):
                        return await asyncio.to_thread(self._is_exclusive)
                except NoConditionsError:
                    return False
                continue
            if lives and now >= deadline:
                snapshot_id = str(record.get("snapshot_id"))
                what = f"the {'warehouse' if snapshot_id == LOAD else 'output'} ({self._store.url})"
                raise LockedError(refusal(what, _process(record), snapshot_id))
            await asyncio.sleep(_POLL)

    def keep(self, on_lost: Callable[[], object]) -> None:
        """Renew the lock from a thread of its own, until it is released or taken by another run."""

        def renew() -> None:
            while not self._ended.wait(RENEWAL):
                # The error may be temporary; the next renewal shows whether the lock still holds.
                with suppress(OutputError):
                    self._renew()
                if self.lost_to:
                    on_lost()
                    return

        self._keeper = threading.Thread(target=renew, name="lease", daemon=True)
        self._keeper.start()

    def confirm(self, path: str) -> None:
        """Raise `LockedError` unless the lock is surely held; ask the bucket before a manifest.

        Before other files, the last renewal is enough if it is less than half a lease ago.
        """
        if path.startswith("manifests/") or _clock() - self._renewed_at > LEASE / 2:
            self._renew()
        if self.lost_to:
            raise LockedError(self.lost_to)

    def release(self) -> None:
        """Release the lock; if that cannot be written, the lock expires."""
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join()
        try:
            # Renewed first, so that no other run takes it before it is removed.
            self._renew()
            if self.lost_to:
                return
            try:
                self._store.remove(NAME)
            except OutputError:  # These credentials may write objects, but not remove them.
                self._store.write_if(NAME, _FREE, self._version)
        except OutputError as error:
            log.warning("lock_not_released", message=str(error))

    def _renew(self) -> None:
        with self._mutex:
            if self.lost_to or self._write(self._version):
                return
            there = self._store.read_version(NAME)
            record = _record(there)
            # An earlier write of our own may have arrived although no answer came. One that is
            # gone was removed by hand.
            ours = record is None or record.get("token") == self._record["token"]
            if not (ours and self._write(there)):
                self.lost_to = self._lost_to(_name(record or {}))

    def _lost_to(self, who: str) -> str:
        what, url = f"({who}), for this one gave no sign for {LEASE:.0f} seconds", self._store.url
        if self._record["snapshot_id"] == LOAD:
            return (
                f"The warehouse {url} was taken over by another load {what}: it writes nothing "
                "more; run again when the other has finished."
            )
        return (
            f"The output {url} was taken over by another run {what}: it writes nothing more; what "
            "was staged is kept for its next run."
        )

    def _write(self, over: Version) -> bool:
        """Write the holder, if the object is unchanged since it was read; return whether it was."""
        began = _clock()
        self._renewals += 1
        record = {**self._record, "place": self._place, "lease": LEASE, "renewals": self._renewals}
        written = self._store.write_if(NAME, orjson.dumps(record), over)
        if written is None:
            return False
        self._version, self._renewed_at = written, began
        return True

    def _is_exclusive(self) -> bool:
        """Return whether the store enforces conditions; some accept and ignore them."""
        with self._mutex:
            for read in (Version(None), Version(b"", _NEVER)):
                if self._write(read):
                    with suppress(OutputError):
                        self._store.remove(NAME)
                    return False
        return True

    def _is_ours(self, record: dict[str, Any]) -> bool:
        return self._place is not None and record.get("place") == self._place


def _record(version: Version) -> dict[str, Any] | None:
    """Return the holder; None if there is none, an empty one if the object cannot be read."""
    if version.data is None or version.data == _FREE:
        return None
    try:
        record = orjson.loads(version.data)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}


def _lease_of(record: dict[str, Any] | None) -> float:
    told = (record or {}).get("lease")
    return max(LEASE, told) if isinstance(told, int | float) else LEASE


def _name(record: dict[str, Any]) -> str:
    process, snapshot_id = _process(record), record.get("snapshot_id")
    if not process:
        return "its holder does not say who it is"
    doing = {PRUNE: "to prune", LOAD: "to load"}.get(
        str(snapshot_id), f"for snapshot {snapshot_id}"
    )
    return f"{process} {doing}"


def _process(record: dict[str, Any]) -> str:
    if "host" not in record:
        return ""
    return f"process {record.get('pid')} on {record['host']}, started at {record.get('started_at')}"


def _watched(url: str, record: dict[str, Any]) -> str:
    return (
        f"The lock of {url} names a holder, {_name(record)}: watching for up to "
        f"{_lease_of(record):.0f} seconds whether it lives."
    )


def _clock() -> float:
    """Return monotonic seconds, with the time that the machine sleeps if the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
