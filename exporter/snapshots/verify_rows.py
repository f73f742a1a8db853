"""Verification of rows: unique keys, and formats with the same rows.

DuckDB reads the files, so this check shares no code with the writers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import duckdb

from exporter.errors import IntegrityError, OutputError
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.verify import Problem, one_line
from exporter.sql.ndjson import contract_types, open_spilling, quoted, read_ndjson
from exporter.sql.shares import shares
from exporter.storage.destination import Destination
from exporter.storage.os_errors import output_errors
from exporter.tables.schemas import TABLES

_Sums = tuple[int, int, int]


def verify_rows(
    snapshot: Snapshot, destination: Destination, *, working: Path, memory_limit: str
) -> list[Problem]:
    """Check each table: keys are unique, and NDJSON has the same rows as Parquet.

    DuckDB works within `memory_limit` (`512MB`) and spills to the folder `working`. From a bucket,
    Parquet files are copied once for all that read the `snapshot`. NDJSON files are copied to
    `working`: one at a time, or all of a table if it has no Parquet. The formats are compared by
    the number of rows and two sums of their hashes. An NDJSON row may be 16 MB long. Returns the
    problems; a table that cannot be read is one. Fix what `verify_files` finds first. Raises
    `OutputError`.
    """
    problems: list[Problem] = []
    with (
        output_errors(f"work in {working}"),
        open_spilling(working, memory_limit) as connection,
    ):
        for name in snapshot.manifest.tables:
            try:
                problems += _check_table(connection, snapshot, destination, name, working)
            except duckdb.OutOfMemoryException as error:
                raise OutputError(f"Cannot check {name}: {one_line(error)}.") from error
            except (duckdb.Error, IntegrityError) as error:
                problems.append(Problem(name, f"cannot be read: {one_line(error)}"))
    return problems


def _check_table(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    destination: Destination,
    name: str,
    working: Path,
) -> Iterator[Problem]:
    files = snapshot.files(name)
    parquet = any(file.format == "parquet" for file in files)
    ndjson = [file.path for file in files if file.format == "ndjson"]
    if not parquet and name not in TABLES:
        # NDJSON has no types, so there is nothing to compare.
        return
    with ExitStack() as stack:
        if parquet:
            paths = snapshot.paths(name)
        else:
            paths = [stack.enter_context(destination.fetched(path, working)) for path in ndjson]
        local = [str(path) for path in paths]
        if parquet:
            # `snapshot_id=…` in the paths must not become a column.
            source = "read_parquet($files, hive_partitioning = false)"
            described = connection.execute(f"DESCRIBE FROM {source}", {"files": local}).fetchall()
            types = {quoted(column[0]): column[1] for column in described}
        else:
            types = contract_types(connection, name)
            source = read_ndjson(types)
        if name in TABLES:
            rows = snapshot.manifest.tables[name].rows
            yield from _repeated_keys(connection, name, source, local, rows)
        # This reads every value, so it also finds an unreadable one.
        expected = _sums(connection, source, types, local)
    if parquet and ndjson:
        found: _Sums = (0, 0, 0)
        for path in ndjson:
            with destination.fetched(path, working) as one:
                sums = _sums(connection, read_ndjson(types), types, [str(one)])
            found = (found[0] + sums[0], found[1] + sums[1], found[2] ^ sums[2])
        if found != expected:
            yield Problem(
                name, f"has other rows in NDJSON ({found[0]}) than in Parquet ({expected[0]})"
            )


def _repeated_keys(
    connection: duckdb.DuckDBPyConnection, name: str, source: str, files: list[str], rows: int
) -> Iterator[Problem]:
    """Yield a key that several rows of a table have, if there is one.

    `rows` is how many the table has, by the manifest.
    """
    key = ", ".join(map(quoted, TABLES[name].key))
    for share in shares(rows, key):
        twice = connection.execute(
            f"SELECT count(*), {key} FROM {source} WHERE {share} "  # noqa: S608
            f"GROUP BY {key} HAVING count(*) > 1 LIMIT 1",
            {"files": files},
        ).fetchone()
        if twice:
            values = ", ".join(map(str, twice[1:]))
            yield Problem(name, f"has {twice[0]} rows with the key {values}")
            return


def _sums(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    types: Mapping[str, str],
    files: list[str],
) -> _Sums:
    """Return the number of rows, and the sum and the exclusive or of their hashes."""
    row = f"hash({', '.join(types)})"
    sums = connection.execute(
        f"SELECT count(*), coalesce(sum({row}::HUGEINT), 0), coalesce(bit_xor({row}), 0) "  # noqa: S608
        f"FROM {source}",
        {"files": files},
    ).fetchone()
    if sums is None:
        raise AssertionError("an aggregate without groups has one row")
    return sums[0], sums[1], sums[2]
