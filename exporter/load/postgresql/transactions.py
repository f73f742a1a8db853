"""The transactions of a load: each begins with its settings and the lock against other loaders.

The lock belongs to the transaction, for poolers of connections keep those of sessions. The next
transaction takes it at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.errors import LoadError, LockedError
from exporter.load.postgresql.locks import FOR_A_LOADER, lock_out_loaders
from exporter.load.postgresql.session import Session

_SETTINGS: Mapping[str, str] = {
    # Names are qualified, so that nothing of another schema is taken for what is meant.
    "search_path": "pg_catalog",
    # A user's or a database's own limits are made for queries.
    "statement_timeout": "2h",
    "lock_timeout": "10min",
    "idle_in_transaction_session_timeout": "2h",
    "transaction_timeout": "0",
    # Whether the client is still there, during a statement: the lock of a killed one goes at once.
    "client_connection_check_interval": "2s",
    # libpq writes what is less than an error to stderr, which belongs to the command.
    "client_min_messages": "error",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
"""Settings of a transaction; those that the server's version does not know are left out."""


class Transactions:
    """Begins and ends the transactions of a session; methods raise `LoadError`, `LockedError`."""

    def __init__(self, session: Session, schema: str, *, locked: bool) -> None:
        self._session = session
        self._schema = schema
        self._locked = locked
        self._is_open = False

    def begin(self, *, patience: float = FOR_A_LOADER) -> None:
        """Begin a transaction, if none has begun; wait so many seconds for another loader."""
        if self._is_open:
            return
        names = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
        doing = "begin a transaction"
        # A user may have another level: what the loader before has committed must be seen.
        self._session.run(doing, ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED"])
        self._session.rows(
            doing,
            "SELECT pg_catalog.set_config(name, wanted.value, true) FROM pg_catalog.pg_settings "  # noqa: S608 - constants
            f"JOIN (VALUES {names}) AS wanted (name, value) USING (name)",
        )
        if self._locked:
            lock_out_loaders(self._session, self._schema, patience)
        self._is_open = True

    def commit(self, doing: str) -> None:
        """Commit, and begin the next transaction, so that no other loader comes between.

        If that fails, the next `begin` says so: what is committed is there.
        """
        self._session.commit(doing)
        self._is_open = False
        try:
            self.begin(patience=0)
        except (LoadError, LockedError):
            self.rollback()

    def rollback(self) -> None:
        """Undo what is not committed."""
        self._session.rollback()
        self._is_open = False
