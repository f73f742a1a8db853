"""A ClickHouse server as a warehouse: what it has, what it is given, and what must go.

Every table is partitioned by `snapshot_id`, so a snapshot is replaced and removed as a partition,
at once. Nothing is atomic over several tables: the row in `snapshots`, which the views join, goes
first and comes last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from exporter.load.clickhouse.address import Address, parse_address
from exporter.load.clickhouse.connection import Connection
from exporter.load.clickhouse.database import Database
from exporter.load.clickhouse.lease import Lease
from exporter.load.clickhouse.writer import ClickHouseWriter
from exporter.load.tables import SNAPSHOTS
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def connect(to: WarehouseUrl, settings: Settings, *, look_only: bool) -> ClickHouse:
    """Return the ClickHouse server that `to` names; raises `SettingsError` for a wrong URL."""
    address = parse_address(to.get_secret_value())
    return ClickHouse(str(to), address, settings.load.warehouse_schema, look_only=look_only)


class ClickHouse:
    """A database of a ClickHouse server, as `exporter.load.warehouse.Warehouse` says."""

    def __init__(self, shown: str, address: Address, schema: str, *, look_only: bool) -> None:
        self.name = shown
        self._address = address
        self._schema = schema
        self._look_only = look_only
        self._open = ExitStack()
        self._opened: Database | None = None

    def __enter__(self) -> Self:
        """Open a connection, and take the lock, unless it only looks."""
        with ExitStack() as stack:
            connection = Connection(self._address, self.name)
            stack.callback(connection.close)
            database = Database(connection, self._schema, Lease(connection, self._schema))
            if not self._look_only:
                database.make()
                database.lease.take()
                stack.callback(database.lease.release)
            self._opened = database
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the lock, and close the connection."""
        self._open.close()
        self._opened = None

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise AssertionError("the server is not open")
        return self._opened

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that the database has, by id."""
        if SNAPSHOTS.name not in self._database.relations(SNAPSHOTS):
            return {}
        rows = self._database.connection.rows(
            "SELECT snapshot_id, status, toUnixTimestamp64Micro(assumeNotNull(started_at)), "  # noqa: S608 - a name
            f"source, scope FROM {self._database.qualified(SNAPSHOTS.name)}"
        )
        return {
            snapshot_id: LoadedSnapshot.of_row(
                status, _EPOCH + timedelta(microseconds=started), source, scope
            )
            for snapshot_id, status, started, source, scope in rows
        }

    def begin(self, load: SnapshotLoad) -> ClickHouseWriter:
        """Begin to write a snapshot: make what is missing of the tables."""
        writer = ClickHouseWriter(self._database, load)
        writer.prepare()
        return writer

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots, each from `snapshots` first."""
        self._database.lease.confirm()
        for snapshot_id in ids:
            self._database.remove(snapshot_id)
