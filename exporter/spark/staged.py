"""Staged parts as Spark reads them: a view of each table, with a row's place if that is needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PATTERN = re.compile(r"[][{}*?\\]")
"""What Hadoop reads as a pattern in a path."""
# Spark has a file's place as the address that it encodes a path to. A plus stands for itself in it.
_PLACE = "regexp_replace(url_decode(replace(_metadata.file_path, '+', '%2B')), '^file:/+', '/')"
_ROW = "_metadata.row_index AS part_row"


def new_session(session: SparkSession) -> SparkSession:
    """Return a session of the same cluster whose views and settings are its own.

    Casts and sums that do not fit are errors in it, and so are files that are missing or cannot be
    read, whatever the cluster is set to. Times are in UTC, and those before 1900 are as they stand
    in the files.
    """
    own = session.newSession()
    for key, value in {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.enforceReservedKeywords": "false",
        "spark.sql.caseSensitive": "false",
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    }.items():
        own.conf.set(key, value)
    return own


def read(session: SparkSession, paths: Sequence[Path], schema: pa.Schema) -> DataFrame:
    """Return the rows of Parquet files; columns of the schema that a file lacks are null."""
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415  (an extra)

    if not paths:
        return few(session, schema.empty_table())
    columns = from_arrow_schema(schema)
    # Without this, a `key=value` in a path would become a column.
    reader = session.read.schema(columns).option("recursiveFileLookup", "true")
    return reader.parquet(*map(to_read, paths))


def few(session: SparkSession, rows: pa.Table) -> DataFrame:
    """Return rows as a part of the plan: no job reads them, and Spark knows whether there are any.

    Given lists, Spark would start a task in Python each time that it reads them.
    """
    return session.createDataFrame(rows)


def read_places(session: SparkSession, paths: Sequence[Path], schema: pa.Schema) -> DataFrame:
    """Return the rows of `read` with `part` and `part_row`, a row's place.

    `part` is a file's number, which sorts as `paths` do, a blank, and its path; `part_row` counts
    from 0.
    """
    from pyspark.sql.functions import broadcast, expr  # noqa: PLC0415  (an extra)

    if not paths:
        places = [pa.field("part", pa.string()), pa.field("part_row", pa.int64())]
        return few(session, pa.schema([*schema, *places]).empty_table())
    parts = {
        "path": [str(path.absolute()) for path in paths],
        "part": [f"{number:09d} {path}" for number, path in enumerate(paths)],
    }
    names = few(session, pa.table(parts, pa.schema(dict.fromkeys(parts, pa.string()))))
    rows = read(session, paths, schema).select("*", expr(_PLACE).alias("path"), expr(_ROW))
    named = rows.join(broadcast(names), on="path", how="left").drop("path")
    # A row whose file is not known must not get lost.
    return named.withColumn("part", expr("coalesce(part, raise_error('a file is not known'))"))


def path_of(part: str) -> Path:
    """Return the file that a value of `part` names."""
    return Path(part.partition(" ")[2])


def to_write(path: Path) -> str:
    """Return a path of this machine as Spark takes one to write."""
    return f"file:{path.absolute()}"


def to_read(path: Path) -> str:
    """Return a path of this machine as Spark takes one to read: as a pattern."""
    return _PATTERN.sub(lambda found: "\\" + found[0], to_write(path))
