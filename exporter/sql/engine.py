"""The engine: one DuckDB connection over Parquet files, within a memory limit, spilling to disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from exporter.errors import OutputError
from exporter.sql.database import connect
from exporter.sql.memory import usable_memory

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEW_ROWS = 2_000_000
"""The most layers that DuckDB handles without spilling, so less memory would save nothing."""
MOST_OF_MEMORY = 0.5
"""The largest share of this process's memory that the engine may get."""


@dataclass(frozen=True)
class Resources:
    """The engine's memory in bytes, beside that of the program itself, and its queries.

    `queries` is how many may run at the same time, each in one thread. A query in two threads takes
    half as much CPU time again, because each groups its own rows, which are then merged.
    """

    memory_bytes: int
    queries: int


FOR_FEW = Resources(320 * 1024 * 1024, 2)
FOR_MANY = Resources(160 * 1024 * 1024, 1)
"""Enough for a million images. Each query has working memory of its own: two at once spill more and
take more CPU time."""
_MANY_ROWS = 12_000_000
"""The most layers that `FOR_MANY` is enough for."""
_MOST_TIMES = 2.0
"""How many times that memory a first try may have; with it, ten million images are derived. DuckDB
cannot spill everything, so it needs more memory for more rows, though not in proportion."""

_log = structlog.get_logger()

_T = TypeVar("_T")

# DuckDB's limit is for its buffers alone. By measurement, it allocates a third as much beside them
# (Parquet pages, keys of hash tables, batches of results).
_BUFFERS = 0.75
_BATCH_ROWS = 32_768


class TooLittleMemoryError(OutputError):
    """The memory is too small for DuckDB, even with spilling."""


def resources_for(layers: Iterable[Path], *, one_by_one: bool = False) -> Resources:
    """Return the first resources to try, by the number of rows in the Parquet files of `layers`.

    With `one_by_one`, there is one query at a time, however few rows there are.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in layers)
    if rows <= FEW_ROWS and not one_by_one:
        return FOR_FEW
    least, most = FOR_MANY.memory_bytes, usable_memory() * MOST_OF_MEMORY
    wanted = min(least * min(rows / _MANY_ROWS, _MOST_TIMES), most)
    return replace(FOR_MANY, memory_bytes=max(int(wanted), least))


def with_enough_memory(work: Callable[[Resources], _T], resources: Resources) -> _T:
    """Call `work` with resources; call it again with twice the memory if they were too small.

    Raises `TooLittleMemoryError` if that would be more than `MOST_OF_MEMORY`.
    """
    most = usable_memory() * MOST_OF_MEMORY
    while True:
        try:
            return work(resources)
        except TooLittleMemoryError:
            if 2 * resources.memory_bytes > most:
                raise
            resources = replace(resources, memory_bytes=2 * resources.memory_bytes)
            _log.info("memory_limit_raised", bytes=resources.memory_bytes)


@contextmanager
def open_engine(
    folder: Path, resources: Resources, *, elsewhere: str = "output.staging"
) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB, spilling to `folder`/spill, which is removed afterwards.

    `elsewhere` is the setting that names another folder, for messages. Errors in the block are
    raised as `OutputError` if the disk is full or a file cannot be read, and as
    `TooLittleMemoryError`.
    """
    import duckdb  # noqa: PLC0415  (its import takes long: a run does it while its first calls are answered)

    spill = folder / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    try:
        with connect(
            {
                "memory_limit": f"{int(resources.memory_bytes * _BUFFERS)}B",
                "threads": 1,
                "temp_directory": str(spill),
                # Rows are ordered only if a query says so.
                "preserve_insertion_order": False,
            }
        ) as connection:
            yield connection
    except duckdb.IOException as error:
        full = "No space left" in str(error)
        raise OutputError(
            f"Cannot derive tables below {folder}: "
            f"{'the disk is full' if full else first_line(error)}; free some space there and run "
            f"again, or name a folder on another disk in {elsewhere}."
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise TooLittleMemoryError(
            f"Cannot derive tables below {folder}: {first_line(error)}; free memory or disk space "
            "there, and run again to resume."
        ) from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text: DuckDB adds advice for people who write SQL."""
    return str(error).split("\n", 1)[0].rstrip(".")


def create_view(
    connection: DuckDBPyConnection,
    name: str,
    paths: Collection[Path],
    schema: pa.Schema | None = None,
) -> None:
    """Make `name` a view of the Parquet files' rows.

    With a `schema`, the view has its columns, and those that the files have beside them. A column
    that the first file lacks, as a snapshot of an older minor format does, is null, and the list of
    files may be empty.
    """
    source = f"FROM read_parquet([{_quoted(paths)}], hive_partitioning = false)" if paths else ""
    nulls = [] if schema is None else _nulls(connection, schema, source)
    columns = ", ".join(["*", *nulls] if paths else nulls)
    limit = "" if paths else "LIMIT 0"
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} {source} {limit}")


def _nulls(connection: DuckDBPyConnection, schema: pa.Schema, source: str) -> list[str]:
    """Return an expression, with its type, for each column of a schema that a source lacks."""
    described = connection.execute(f"DESCRIBE {source}").fetchall() if source else []
    found = {column for column, *_ in described}
    lacking = [field for field in schema if field.name not in found]
    if not lacking:
        return []
    empty = connection.from_arrow(pa.schema(lacking).empty_table())
    return [
        f'NULL::{type_} AS "{column}"'
        for column, type_ in zip(empty.columns, empty.types, strict=True)
    ]


def create_numbered_view(connection: DuckDBPyConnection, name: str, paths: Iterable[Path]) -> None:
    """Make `name` a view of the files' rows with `part` and `part_row`, their place on disk."""
    connection.execute(
        f"CREATE OR REPLACE VIEW {name} AS FROM ("
        f"FROM read_parquet([{_quoted(paths)}], "
        "hive_partitioning = false, filename = true, file_row_number = true) "
        "SELECT * EXCLUDE (filename, file_row_number), "
        "parse_filename(filename) AS part, file_row_number AS part_row)"
    )


def _quoted(paths: Iterable[Path]) -> str:
    return ", ".join(literal(str(path)) for path in paths)


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def script(name: str) -> str:
    """Return the text of the `.sql` file of that name."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def stream(connection: DuckDBPyConnection, query: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """Run a query and yield its rows in order, a batch at a time, as tables of `schema`."""
    relation = connection.sql(query)
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        yield pa.Table.from_batches([batch]).cast(schema)
