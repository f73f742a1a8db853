"""The rows of a table of a snapshot, for a warehouse: in small batches, or as checked files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.errors import ExporterError, IntegrityError
from exporter.load.tables import WarehouseTable
from exporter.snapshots.reader import Snapshot
from exporter.sql.engine import first_line

BATCH_ROWS = 16_384
"""The most rows of a batch."""
BATCH_BYTES = 4 * 1024 * 1024
"""The Arrow bytes of a batch, unless a single row has more."""


class TableRows:
    """The rows of one table of a snapshot, as `exporter.load.warehouse.TableSource` says.

    `on_rows` is told of each batch or file that was read how many rows it has. `failure` is the
    error that reading ended with, if it did: a library that reads the batches may hide it.
    """

    def __init__(
        self, snapshot: Snapshot, table: WarehouseTable, on_rows: Callable[[int], None]
    ) -> None:
        self._snapshot = snapshot
        self._table = table
        self._on_rows = on_rows
        self.failure: ExporterError | None = None

    @property
    def rows(self) -> int:
        """How many rows the manifest states; 0 for a table that the snapshot does not have."""
        entry = self._snapshot.manifest.tables.get(self._table.name)
        return entry.rows if entry else 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in small batches with the schema of the `WarehouseTable`."""
        for path in self._parts():
            for batch in self._read(path):
                yield batch
                self._on_rows(batch.num_rows)

    def files(self) -> Iterator[Path]:
        """Yield the rows as Parquet files, each of which is there until the next is asked for."""
        for path in self._parts():
            rows = pq.read_metadata(path).num_rows
            yield path
            self._on_rows(rows)

    def _parts(self) -> Iterator[Path]:
        try:
            yield from self._snapshot.checked_parts(self._table.name)
        except ExporterError as error:
            self.failure = error
            raise

    def _read(self, path: Path) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    yield from _small(self._whole(batch))
        except (pa.ArrowException, OSError) as error:
            self.failure = IntegrityError(
                f"The table {self._table.name} of snapshot {self._snapshot.manifest.snapshot_id} "
                f"cannot be read ({first_line(error)}); `registry-exporter verify` tells what is "
                "wrong with it."
            )
            raise self.failure from error

    def _whole(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with all columns of the warehouse's table, in their order and types."""
        first, *rest = self._table.schema
        ids = pa.repeat(pa.scalar(self._snapshot.manifest.snapshot_id, first.type), batch.num_rows)
        columns = [
            batch.column(field.name).cast(field.type)
            if field.name in batch.schema.names
            else pa.nulls(batch.num_rows, field.type)
            for field in rest
        ]
        return pa.record_batch([ids, *columns], schema=self._table.schema)


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in parts of about `BATCH_BYTES`."""
    rows = max(1, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
