"""DuckDB: one file, which DuckDB itself loads from the snapshot's Parquet files.

All of a snapshot is one transaction. DuckDB's own lock on the file keeps every other process out
while a load runs, readers too. Tables have no keys: an index of ten million rows would not fit into
the memory of a load, and DuckDB skips the rows of other snapshots without one.
"""

from __future__ import annotations

from pathlib import Path

from exporter.errors import SettingsError
from exporter.load.duckdb.warehouse import DuckDb
from exporter.settings import Settings
from exporter.settings.warehouse import WarehouseUrl


def connect(to: WarehouseUrl, settings: Settings, *, look_only: bool) -> DuckDb:
    """Return the DuckDB file that `to` names; raises `SettingsError` for a wrong path."""
    try:
        path = Path(to.place).expanduser().absolute()
    except RuntimeError:
        raise SettingsError(
            f"load.to {to} begins with a home folder, and this user has none: write the "
            "whole path, or set HOME."
        ) from None
    return DuckDb(str(to), path, settings.load.warehouse_schema, look_only=look_only)
