"""The locks of a load: the one that keeps other loaders out, and those that readers feel."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection

from exporter.clock import steady
from exporter.errors import LoadError, LockedError
from exporter.load.postgresql.session import Session
from exporter.load.postgresql.statements import literal

FOR_A_LOADER = 10.0
"""Seconds to wait for another loader: a killed one's session lives on for a moment."""
_FOR_READERS = 600.0
"""Seconds to try for a lock that readers hold."""
_TRY = 0.4
"""Seconds of one try. Queries that begin meanwhile wait behind it, so it is short, and shorter than
`deadlock_timeout`: in a deadlock, the load gives up and not the query."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries, in which queries that waited go on; the last one repeats."""

_HOLDER = """
    SELECT concat(
        'process ', pid, ' from ' || host(client_addr),
        to_char(backend_start AT TIME ZONE 'UTC', '" since "YYYY-MM-DD HH24:MI:SS" UTC"')
    )
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND classid = (($1::bigint >> 32) & 4294967295)::oid
        AND objid = ($1::bigint & 4294967295)::oid
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_FLAG = "registry_exporter.locked"


def lock_out_loaders(session: Session, schema: str, patience: float) -> None:
    """Take the lock of loads into a schema, until the transaction ends.

    Raises `LockedError` if another load has it for longer than `patience`, in seconds.
    """
    digest = hashlib.sha256(f"registry-exporter load {schema}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    until = steady() + patience
    doing = "take the lock of loads"
    while not session.rows(doing, "SELECT pg_try_advisory_xact_lock($1)", key)[0][0]:
        if steady() >= until:
            holders = session.rows(doing, _HOLDER, key)
            raise LockedError(
                f"Another load holds the schema {schema} of {session.address.name}"
                f"{f' ({holders[0][0]})' if holders else ''}: let it finish, and run again."
            )
        time.sleep(_PAUSES[0])


def lock_out_readers(session: Session, relations: Collection[str]) -> None:
    """Lock tables for a moment's change, in tries that let readers through between them.

    Names are quoted. Raises `LoadError` if readers hold one of them for too long.
    """
    if not relations:
        return
    lock = (
        f"BEGIN SET LOCAL lock_timeout = '{_TRY * 1000:.0f}ms'; "
        f"LOCK TABLE {', '.join(relations)} IN ACCESS EXCLUSIVE MODE; "
        f"PERFORM set_config('{_FLAG}', 'yes', true); "
        "EXCEPTION WHEN lock_not_available OR deadlock_detected THEN "
        f"PERFORM set_config('{_FLAG}', 'no', true); END"
    )
    until = steady() + _FOR_READERS
    pauses = iter(_PAUSES)
    doing = "lock the tables whose partitions it replaces"
    while True:
        # A failed statement would end the transaction, so the server itself catches the failure.
        session.run(doing, [f"DO {literal(lock)}"])
        if session.rows(doing, f"SELECT current_setting('{_FLAG}')")[0][0] == "yes":
            return
        if steady() > until:
            raise LoadError(
                f"Queries in {session.address.name} have held the tables for "
                f"{_FOR_READERS / 60:.0f} minutes without a pause, so the load gave up: end the "
                "long ones, and run again."
            )
        time.sleep(next(pauses, _PAUSES[-1]))
