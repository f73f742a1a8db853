"""DuckDB as a warehouse: the snapshots that a file has, new ones, and those that go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from exporter.load.duckdb.file import DuckDbFile
from exporter.load.duckdb.writer import DuckDbWriter
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS
from exporter.load.warehouse import LoadedSnapshot, SnapshotLoad

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DuckDb(DuckDbFile):
    """A DuckDB file, as `exporter.load.warehouse.Warehouse` says."""

    def snapshots(self) -> Mapping[str, LoadedSnapshot]:
        """Return the snapshots that the file has, by id."""
        if not self.is_open:
            return {}
        with self.errors("read"):
            if SNAPSHOTS.name not in self.relations(SNAPSHOTS):
                return {}
            rows = self.connection.execute(
                "SELECT snapshot_id, status, epoch_us(started_at), source, scope "  # noqa: S608 - names
                f"FROM {self.qualified(SNAPSHOTS.name)}"
            ).fetchall()
        return {
            snapshot_id: LoadedSnapshot.of_row(
                status, _EPOCH + timedelta(microseconds=started), source, scope
            )
            for snapshot_id, status, started, source, scope in rows
        }

    def begin(self, load: SnapshotLoad) -> DuckDbWriter:
        """Begin a transaction in which all tables are there, with all columns of this load."""
        writer = DuckDbWriter(self, load)
        with self.errors("loaded"):
            writer.prepare()
        return writer

    def prune(self, ids: Collection[str]) -> None:
        """Remove snapshots from every table in one transaction."""
        with self.errors("pruned"):
            self.connection.begin()
            for name in self.own_tables():
                self.connection.execute(
                    f"DELETE FROM {self.qualified(name)} "  # noqa: S608 - a name
                    f"WHERE {SNAPSHOT_ID} IN (SELECT unnest($ids))",
                    {"ids": [*ids]},
                )
            self.connection.commit()
