"""PostgreSQL as a warehouse: opening it, what it has, and removing snapshots."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from exporter.errors import LoadError
from exporter.load.postgresql.address import Address, parse_address
from exporter.load.postgresql.catalog import Catalog
from exporter.load.postgresql.locks import lock_out_readers
from exporter.load.postgresql.session import Session
from exporter.load.postgresql.statements import create_table, identifier
from exporter.load.postgresql.transactions import Transactions
from exporter.load.postgresql.writer import PostgreSqlWriter
from exporter.load.tables import SNAPSHOTS
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl
from exporter.wording import option

_OLDEST = 12
"""The first version of PostgreSQL that attaches a partition while readers go on."""


def connect(to: WarehouseUrl, settings: Settings, *, look_only: bool) -> PostgreSql:
    """Return the database that `to` names; raises `SettingsError` for a malformed URL."""
    address = parse_address(to.get_secret_value())
    return PostgreSql(address, settings.load.warehouse_schema, look_only=look_only)


class PostgreSql:
    """A PostgreSQL database, as `exporter.load.warehouse.Warehouse` says.

    Each snapshot is one transaction, and so is each that `prune` removes.
    """

    def __init__(self, address: Address, schema: str, *, look_only: bool) -> None:
        self.name = address.name
        self._schema = schema
        self._address = address
        self._look_only = look_only

    def __enter__(self) -> Self:
        """Connect, and keep other loaders out."""
        self._session = Session(self._address)
        self._catalog = Catalog(self._session, self._schema)
        self._transactions = Transactions(self._session, self._schema, locked=not self._look_only)
        try:
            self._transactions.begin()
            self._check_server()
        except BaseException:
            self._session.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection, which rolls back what is not committed."""
        self._session.close()

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that the schema has, by id."""
        if SNAPSHOTS.name not in self._catalog.relations([SNAPSHOTS]):
            return {}
        rows = self._session.rows(
            "read which snapshots are there",
            "SELECT snapshot_id, status, "  # noqa: S608 - a name
            "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), "
            f"source::text, scope::text FROM {identifier(self._schema, SNAPSHOTS.name)}",
        )
        return {
            snapshot_id: LoadedSnapshot.of_row(
                status, datetime.fromisoformat(started_at).replace(tzinfo=UTC), source, scope
            )
            for snapshot_id, status, started_at, source, scope in rows
        }

    def begin(self, load: SnapshotLoad) -> PostgreSqlWriter:
        """Begin to write a snapshot, after a look at all that it needs."""
        self._transactions.begin()
        there = self._catalog.relations([*load.tables, SNAPSHOTS])
        statements = []
        if not self._catalog.has_schema():
            # IF NOT EXISTS would need the right to create even where the schema is there.
            statements.append(f"CREATE SCHEMA {identifier(self._schema)}")
        if SNAPSHOTS.name not in there:
            statements += create_table(self._schema, SNAPSHOTS)
        self._session.run(f"create the tables of the schema {self._schema}", statements)
        return PostgreSqlWriter(self._session, self._catalog, self._transactions, load, there)

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots, each in a transaction of its own: locks are few in PostgreSQL."""
        for snapshot_id in ids:
            self._transactions.begin()
            old = self._catalog.partitions(snapshot_id)
            parents = {identifier(self._schema, one.table) for one in old}
            lock_out_readers(
                self._session,
                [f"ONLY {one}" for one in (*sorted(parents), *(one.identifier for one in old))],
            )
            doing = f"remove the snapshot {snapshot_id}"
            self._session.run(doing, (f"DROP TABLE {one.identifier}" for one in old))
            self._session.rows(
                doing,
                f"DELETE FROM {identifier(self._schema, SNAPSHOTS.name)} WHERE snapshot_id = $1",  # noqa: S608 - a name
                snapshot_id,
            )
            self._transactions.commit(doing)

    def _check_server(self) -> None:
        ((version, number, encoding, is_standby),) = self._session.rows(
            "tell its version",
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int, "
            "current_setting('server_encoding'), pg_catalog.pg_is_in_recovery()",
        )
        error = refusal(
            self.name, version, number, encoding, is_standby=is_standby and not self._look_only
        )
        if error is not None:
            raise error


def refusal(
    name: str, version: str, number: int, encoding: str, *, is_standby: bool
) -> LoadError | None:
    """Return why a server cannot be loaded into; None if it can be.

    `number` is its version as `server_version_num` states it.
    """
    if number < _OLDEST * 10_000:
        return LoadError(
            f"{name} is PostgreSQL {version}, and a load needs {_OLDEST} or newer: upgrade it, or "
            f"name another database with {option('to')}."
        )
    if encoding != "UTF8":
        return LoadError(
            f"The database {name} has the encoding {encoding}, which cannot hold every name: "
            "create one with ENCODING 'UTF8', and load into that."
        )
    if is_standby:
        return LoadError(
            f"{name} is a standby, which is read-only: name the primary server with {option('to')}."
        )
    return None
