"""Verification of rows: keys that stand once, and formats that hold the same rows.

DuckDB reads the files here, so nothing is shared with the code that wrote them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from exporter.errors import OutputError
from exporter.snapshot.destination import Destination, output_errors
from exporter.snapshot.manifest import Manifest, TableEntry
from exporter.snapshot.verify import Problem, one_line
from exporter.tables import TABLES

_Sums = tuple[int, int, int]


def verify_rows(
    destination: Destination, manifest: Manifest, *, working: Path, memory_limit: str
) -> list[Problem]:
    """Check each table: no key stands twice, and NDJSON holds the same rows as Parquet.

    DuckDB works within `memory_limit` (`512MB`) and spills to the folder `working`, where
    files of a bucket are copied to as well: a table's Parquet and one NDJSON file at a time.
    The rows of the formats are compared by their number and two sums over their hashes; an
    NDJSON row may be 16 MB long. Returns what is wrong, a table that cannot be read included;
    what `verify_files` finds is better mended first. Raises `OutputError`.
    """
    problems: list[Problem] = []
    with _duckdb(working, memory_limit) as connection:
        for name, entry in manifest.tables.items():
            try:
                problems += _check_table(connection, destination, name, entry, working)
            except duckdb.OutOfMemoryException as error:
                raise OutputError(f"Cannot check {name}: {one_line(error)}.") from error
            except duckdb.Error as error:
                problems.append(Problem(name, f"cannot be read: {one_line(error)}"))
    return problems


@contextmanager
def _duckdb(working: Path, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        output_errors(f"work in {working}"),
        tempfile.TemporaryDirectory(dir=working) as spill,
        duckdb.connect(
            config={"memory_limit": memory_limit, "temp_directory": spill}
        ) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        yield connection


def _check_table(
    connection: duckdb.DuckDBPyConnection,
    destination: Destination,
    name: str,
    entry: TableEntry,
    working: Path,
) -> Iterator[Problem]:
    parquet = [file.path for file in entry.files if file.format == "parquet"]
    ndjson = [file.path for file in entry.files if file.format == "ndjson"]
    if not parquet:
        # Lines alone have no types, so there is nothing to hold them against.
        return
    with ExitStack() as stack:
        local = [str(stack.enter_context(destination.fetched(path, working))) for path in parquet]
        # The paths have `snapshot_id=…` in them, which is no column of the table.
        source = "read_parquet($files, hive_partitioning = false)"
        described = connection.execute(f"DESCRIBE FROM {source}", {"files": local}).fetchall()
        types = {_quoted(column[0]): column[1] for column in described}
        if name in TABLES:
            key = ", ".join(map(_quoted, TABLES[name].key))
            twice = connection.execute(
                f"SELECT count(*), {key} FROM {source} GROUP BY {key} HAVING count(*) > 1 LIMIT 1",  # noqa: S608
                {"files": local},
            ).fetchone()
            if twice:
                yield Problem(
                    name, f"has {twice[0]} rows with the key {', '.join(map(str, twice[1:]))}"
                )
        expected = _sums(connection, source, types, local)
    if ndjson:
        struct = ", ".join(f"{column}: '{kind}'" for column, kind in types.items())
        lines = (
            f"read_json($files, hive_partitioning = false, format = 'newline_delimited', "
            f"compression = 'gzip', columns = {{{struct}}})"
        )
        found: _Sums = (0, 0, 0)
        for path in ndjson:
            with destination.fetched(path, working) as one:
                sums = _sums(connection, lines, types, [str(one)])
            found = (found[0] + sums[0], found[1] + sums[1], found[2] ^ sums[2])
        if found != expected:
            yield Problem(
                name, f"has other rows in NDJSON ({found[0]}) than in Parquet ({expected[0]})"
            )


def _sums(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    types: Mapping[str, str],
    files: list[str],
) -> _Sums:
    """Return the rows' number, and the sum and the exclusive or of their hashes."""
    row = f"hash({', '.join(types)})"
    sums = connection.execute(
        f"SELECT count(*), coalesce(sum({row}::HUGEINT), 0), coalesce(bit_xor({row}), 0) "  # noqa: S608
        f"FROM {source}",
        {"files": files},
    ).fetchone()
    if sums is None:
        raise AssertionError("an aggregate without groups has one row")
    return sums[0], sums[1], sums[2]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
