"""Reading NDJSON files with DuckDB, with the types of a table's Arrow columns."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.sql.database import connect
from exporter.tables.schemas import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def open_spilling(working: Path, memory_limit: str) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB within `memory_limit` (`512MB`), spilling to a folder of its own in `working`.

    Rows come in any order, unless a query orders them. Raises `OSError` and DuckDB's errors.
    """
    with (
        tempfile.TemporaryDirectory(dir=working) as spill,
        connect(
            {
                "memory_limit": memory_limit,
                "temp_directory": spill,
                "preserve_insertion_order": False,
            }
        ) as connection,
    ):
        yield connection


def write_as_parquet(
    connection: DuckDBPyConnection,
    table: str,
    columns: Collection[str],
    lines: Path,
    parquet: Path,
) -> None:
    """Write some columns of an NDJSON file of a table to a new Parquet file.

    Raises DuckDB's errors.
    """
    wanted = set(map(quoted, columns))
    types = contract_types(connection, table)
    source = read_ndjson({name: types[name] for name in types if name in wanted})
    connection.execute(
        f"COPY (FROM {source}) TO $parquet (FORMAT parquet)",
        {"files": [str(lines)], "parquet": str(parquet)},
    )


def contract_types(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return DuckDB's types for a table's columns, by their quoted names."""
    empty = connection.from_arrow(TABLES[table].schema.empty_table())
    return {
        quoted(column): str(type_) for column, type_ in zip(empty.columns, empty.types, strict=True)
    }


def read_ndjson(types: Mapping[str, str]) -> str:
    """Return the SQL that reads the NDJSON files of the parameter `$files`.

    `types` are those of the columns, by their quoted names.
    """
    struct = ", ".join(f"{column}: '{type_}'" for column, type_ in types.items())
    return (
        "read_json($files, hive_partitioning = false, format = 'newline_delimited', "
        f"compression = 'gzip', columns = {{{struct}}})"
    )


def quoted(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
