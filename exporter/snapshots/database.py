"""DuckDB for readers of published snapshots: within a memory limit, spilling to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ExporterError, IntegrityError, OutputError
from exporter.snapshots.files import temporary_folder
from exporter.sql.engine import first_line
from exporter.sql.memory import limit_for_readers
from exporter.sql.ndjson import open_spilling

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def open_reader(memory_limit: str | None = None) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB in memory, for queries on the views of `Snapshot.register`.

    `memory_limit` is DuckDB's (`256MB`), by default that of `limit_for_readers`. What does not fit
    goes to a temporary folder (`TMPDIR`), which is removed afterwards. DuckDB's errors in the block
    are raised as `OutputError` where the disk is full or a file cannot be read, as `ExporterError`
    where memory is too small, and as `IntegrityError` where a file holds other bytes than Parquet.
    """
    import duckdb  # noqa: PLC0415  (its import takes long, and few commands need it)

    with temporary_folder() as working:
        try:
            with open_spilling(Path(working), memory_limit or limit_for_readers()) as connection:
                yield connection
        except duckdb.IOException as error:
            raise OutputError(
                f"The snapshot cannot be read: {first_line(error)}; check the output and the disk "
                "of TMPDIR, and run again."
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise ExporterError(
                f"The memory is too small for this: {first_line(error)}; free memory, or disk "
                "space in TMPDIR, and run again."
            ) from error
        except duckdb.InvalidInputException as error:
            raise IntegrityError(
                f"The snapshot cannot be read: {first_line(error)}; `registry-exporter verify` "
                "tells what is wrong with it."
            ) from error
