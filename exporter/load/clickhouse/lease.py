"""The lock of a ClickHouse schema: a table that one loader makes, and that runs out.

ClickHouse has no lock that ends with its holder. But only one CREATE TABLE of a name succeeds on
a server, so the table `load_lock` is the lock. Its comment names the holder, and until when it
holds, by the server's clock; the holder renews that while it loads. Another loader takes over a
lock that has run out, or whose process is gone from this machine, by a RENAME, which only one can
do either. The holder looks whether the lock is still its own before it changes what readers see.

What this promises: two loaders on one server never load at once, unless one of them is stopped for
longer than `LEASE_SECONDS` just between its last look and a statement. On several replicas, each
has a lock of its own: let all loaders name the same one.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from exporter.errors import LoadError, LockedError
from exporter.load.clickhouse.connection import Connection, literal, name

LOCK = "load_lock"
LEASE_SECONDS = 900
"""How long a lock holds without a renewal: longer than a statement may take."""
_RENEW_SECONDS = 60
_ATTEMPTS = 5


class Lease:
    """The lock of a schema, held from `take` to `release`."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._table = f"{name(schema)}.{name(LOCK)}"
        self._renewed_at = 0.0
        self._holder = {
            "token": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "place": _place(),
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def take(self) -> None:
        """Take the lock; raises `LockedError`, which names the holder, if another loader has it."""
        for _ in range(_ATTEMPTS):
            comment = literal(self._comment())
            if self._connection.try_create(
                f"CREATE TABLE {self._table} (nothing UInt8) ENGINE = Memory COMMENT {comment}"
            ):
                self._renewed_at = time.monotonic()
                return
            holder = self._read(LOCK)
            if holder is not None and self._holds(holder):
                raise LockedError(
                    f"Another load into {self._connection.shown} is under way (process "
                    f"{holder.get('pid')} on {holder.get('host')}, since "
                    f"{holder.get('started_at')}): let it finish, and run again."
                )
            if holder is not None:
                self._take_away(holder)
        raise LockedError(
            f"Other loads into {self._connection.shown} begin at the same time: run again."
        )

    def renew(self) -> None:
        """Hold the lock for longer, if it was not renewed for a while; raises `LockedError`."""
        if time.monotonic() - self._renewed_at > _RENEW_SECONDS:
            self.confirm()
            self._connection.run(
                f"ALTER TABLE {self._table} MODIFY COMMENT {literal(self._comment())}"
            )
            self._renewed_at = time.monotonic()

    def confirm(self) -> None:
        """Check that the lock is still this loader's; raises `LockedError`."""
        if not self._is_own(self._read(LOCK)):
            raise LockedError(
                f"Another load into {self._connection.shown} has taken over, because this one was "
                f"stopped for more than {LEASE_SECONDS // 60} minutes: run again."
            )

    def release(self) -> None:
        """Let go of the lock, if it is still this loader's."""
        with suppress(LoadError):  # It runs out by itself.
            if self._is_own(self._read(LOCK)):
                self._connection.run(f"DROP TABLE IF EXISTS {self._table} SYNC")

    def _take_away(self, seen: Mapping[str, Any]) -> None:
        """Remove a lock that holds no longer; leave one that another loader has made meanwhile."""
        aside = f"{LOCK}_{uuid.uuid4().hex}"
        there = f"{name(self._schema)}.{name(aside)}"
        if not self._connection.try_change(f"RENAME TABLE {self._table} TO {there}"):
            return
        moved = self._read(aside)
        if moved is not None and moved.get("token") == seen.get("token"):
            self._connection.run(f"DROP TABLE IF EXISTS {there} SYNC")
        elif not self._connection.try_create(f"RENAME TABLE {there} TO {self._table}"):
            # A third one has a lock of its own now: the one that this was notices before it writes.
            self._connection.run(f"DROP TABLE IF EXISTS {there} SYNC")

    def _read(self, table: str) -> dict[str, Any] | None:
        """Return the holder that a lock names, None if there is no such lock."""
        found = self._connection.rows(
            "SELECT comment FROM system.tables "
            "WHERE database = {schema:String} AND name = {table:String}",
            {"schema": self._schema, "table": table},
        )
        if not found:
            return None
        try:
            holder = orjson.loads(found[0][0])
        except orjson.JSONDecodeError:
            holder = None
        if not isinstance(holder, dict) or "token" not in holder:
            raise LoadError(
                f"{self._connection.shown} has a table {self._schema}.{table} that no load has "
                "made: rename it, and run again."
            )
        return holder

    def _is_own(self, holder: Mapping[str, Any] | None) -> bool:
        return holder is not None and holder.get("token") == self._holder["token"]

    def _holds(self, holder: Mapping[str, Any]) -> bool:
        """Return whether a holder's lock has not run out, and its process may be alive."""
        if self._now() >= float(holder.get("until", 0)):
            return False
        here = (self._holder["host"], self._holder["place"])
        if self._holder["place"] is None or (holder.get("host"), holder.get("place")) != here:
            return True
        try:
            os.kill(int(holder["pid"]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _comment(self) -> str:
        return orjson.dumps(self._holder | {"until": self._now() + LEASE_SECONDS}).decode()

    def _now(self) -> float:
        return float(self._connection.rows("SELECT toUnixTimestamp(now())")[0][0])


def _place() -> str | None:
    """Return what tells whether two process ids are of the same processes; None if nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - a link of the kernel
    except OSError:
        return None
