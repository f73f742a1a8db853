"""DuckDB for this program: in memory or on a file, without downloads, and without output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def connect(
    config: Mapping[str, str | bool | int],
    database: Path | str = ":memory:",
    *,
    read_only: bool = False,
) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB with the given settings; times are in UTC, and no progress bar is drawn.

    Without a `database` file it is in memory. Only built-in extensions are used. Raises DuckDB's
    errors.
    """
    import duckdb  # noqa: PLC0415  (its import takes long: a run does it while its first calls are answered)

    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    with duckdb.connect(database, read_only=read_only, config={**offline, **config}) as connection:
        # `connect` does not accept this setting: it belongs to `icu`, a built-in extension.
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # In a notebook without ipywidgets the bar is off, and DuckDB refuses the setting.
        shows = connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()
        if shows == [(True,)]:
            connection.execute("SET enable_progress_bar = false")
        yield connection
