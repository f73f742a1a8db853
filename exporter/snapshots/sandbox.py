"""SQL on published snapshots that can read their tables, and can neither write nor reach more.

DuckDB runs without access to files and networks: only the files of the tables that the SQL names
are allowed, and its own temporary folder. No setting can be changed any more, no variable of Python
is a table, and only a statement that reads is run at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from exporter.errors import QueryError
from exporter.snapshots.database import open_reader
from exporter.snapshots.sql_errors import SqlErrors
from exporter.snapshots.views import SNAPSHOTS, Source, make_views
from exporter.sql.ndjson import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation, Statement

BATCH_ROWS = 10_000
"""The most rows of a batch of an answer."""
# These show or run names that the text of the SQL need not have.
_BY_OTHER_MEANS = re.compile(
    r"\b(query|query_table|information_schema|show|duckdb_\w+|pragma_\w+|pg_\w+|sqlite_\w+"
    r"|json_\w+sql)\b"
)
_COMMENT = re.compile(r"\A(\s*--.*\n)*")
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+|\([^)]*\)\s*)?", re.IGNORECASE)
_HUGEINT = pa.decimal128(38, 0)
"""How Arrow has DuckDB's HUGEINT, the type of sums of integers."""
_AS_TEXT = re.compile(r"INTERVAL|\bBIT\b|UNION|TIME WITH TIME ZONE|VARIANT|GEOMETRY")
"""DuckDB's types that Arrow lacks, or that Parquet cannot hold; they may stand inside another."""


@contextmanager
def open_query(
    snapshots: Sequence[Source], sql: str, parameters: Mapping[str, Any] | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Run one statement that reads, and give its rows as they come.

    `parameters` are the values of `$name` in the SQL. Columns have names of their own: a name that
    came before gets a number. Sums of integers are int64, or decimal128(38, 0) where one of the
    first rows' is larger. What Arrow or Parquet has no type for (an interval, say) is a text.
    Raises `QueryError` for SQL that writes, is wrong or fails, before the block or in it, and what
    `Snapshot.dataset` raises for files that cannot be read.
    """
    tables = list(dict.fromkeys(name for one in snapshots for name in one.tables))
    errors = SqlErrors(sql, [*tables, SNAPSHOTS])
    used = _named(sql, tables)

    def check_files() -> None:
        for one in snapshots:
            one.check([name for name in used if name in one.tables])

    with open_reader() as connection:
        with errors.translated(check_files):
            statement = _checked(connection, sql, parameters or {})
            files = make_views(connection, snapshots, used)
            _lock(connection, files)
            relation = _as_arrow_has_it(connection.sql(statement, params=dict(parameters or {})))
            reader = relation.to_arrow_reader(BATCH_ROWS)
            first = next(reader, None)
        schema = _schema(reader.schema, first)

        def batches() -> Iterator[pa.RecordBatch]:
            with errors.translated(check_files):
                for batch in reader if first is None else chain([first], reader):
                    yield _cast(batch, schema)

        yield pa.RecordBatchReader.from_batches(schema, batches())


def _schema(found: pa.Schema, first: pa.RecordBatch | None) -> pa.Schema:
    """Return the schema of an answer: each name once, and int64 for sums that are small enough.

    Those of the first batch decide, which is most often all there is.
    """
    fields = [
        field.with_name(name) for field, name in zip(found, _distinct(found.names), strict=True)
    ]
    for place, field in enumerate(fields):
        if field.type == _HUGEINT and (first is None or _is_small(first.column(place))):
            fields[place] = field.with_type(pa.int64())
    return pa.schema(fields)


def _is_small(column: pa.Array) -> bool:
    try:
        column.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        columns = [
            column if column.type == type_ else column.cast(type_)
            for column, type_ in zip(batch.columns, schema.types, strict=True)
        ]
    except pa.ArrowInvalid as error:
        raise QueryError(
            "An integer of the answer is larger than 64 bits hold, and none of the first rows is: "
            "cast it with `::DOUBLE` or `::VARCHAR`."
        ) from error
    return pa.record_batch(columns, schema=schema)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of which none is there twice: the second `a` is `a_2`."""
    taken: set[str] = set()
    found = []
    for name in names:
        number, unique = 1, name
        while unique in taken or (number > 1 and unique in names):
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        found.append(unique)
    return found


def _named(sql: str, names: Collection[str]) -> list[str]:
    """Return the tables that the SQL may read; opening the others would take time for nothing."""
    # The words of a comment at the top are no names.
    text = _COMMENT.sub("", sql).casefold()
    if _BY_OTHER_MEANS.search(text):
        return list(names)
    return [name for name in names if name.casefold() in text]


def _checked(connection: DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> Statement:
    """Return the one statement of the SQL; raises `QueryError` if it is no statement that reads."""
    from duckdb import StatementType  # noqa: PLC0415  (its import takes long)

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        many = f"{len(statements)} statements" if statements else "no statement"
        raise QueryError(f"The SQL has {many}: give one SELECT.")
    (statement,) = statements
    kind = statement.type
    if kind == StatementType.EXPLAIN:
        inner = connection.extract_statements(_EXPLAIN.sub("", statement.query, count=1))
        kind = inner[0].type if len(inner) == 1 else kind
    if kind == StatementType.MULTI:
        raise QueryError(
            "A PIVOT whose columns follow from the rows is not possible here: name them with "
            "`IN (…)`."
        )
    if kind != StatementType.SELECT:
        raise QueryError(
            f"Only a statement that reads is possible here, and this is {_kind(str(kind))}: "
            "give a SELECT."
        )
    wanted = statement.named_parameters
    if missing := sorted(wanted - parameters.keys()):
        raise QueryError(f"The SQL needs a value for ${missing[0]}, and none is given.")
    if unknown := sorted(parameters.keys() - wanted):
        has = f"; it has {', '.join(f'${one}' for one in sorted(wanted))}" if wanted else ""
        raise QueryError(f"The SQL has no parameter ${unknown[0]}{has}.")
    return statement


def _kind(name: str) -> str:
    """Return a type of statement with its article, `an INSERT`."""
    word = name.rpartition(".")[2].replace("_", " ")
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


def _lock(connection: DuckDBPyConnection, files: Sequence[Path]) -> None:
    # DuckDB adds its own temporary folder to what is allowed.
    connection.execute("SET allowed_paths = $paths", {"paths": [str(path) for path in files]})
    connection.execute("SET allow_persistent_secrets = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")


def _as_arrow_has_it(relation: DuckDBPyRelation) -> DuckDBPyRelation:
    """Return the relation with texts for the values of types that Arrow or Parquet lacks."""
    types = [str(type_) for type_ in relation.types]
    if not any(_AS_TEXT.search(type_) for type_ in types):
        return relation
    names = _distinct(relation.columns)
    columns = [
        f"CAST(#{number} AS VARCHAR)" if _AS_TEXT.search(type_) else f"#{number}"
        for number, type_ in enumerate(types, 1)
    ]
    return relation.project(
        ", ".join(
            f"{column} AS {quoted(name)}" for column, name in zip(columns, names, strict=True)
        )
    )
