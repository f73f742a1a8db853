"""The dialects: what each engine calls the types of the tables, and how it quotes.

Every type of a snapshot's tables stands here once for each engine. The types are those of the
engine's Parquet reader, so no value changes on the way: integers keep 64 bits, times their
microseconds, lists and maps their nulls where the engine has such a type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import pyarrow as pa

from exporter.tables.columns import LABELS, TEXTS, TIME


class Dialect(StrEnum):
    """An engine, by the name that `--dialect` takes."""

    ATHENA = "athena"
    BIGQUERY = "bigquery"
    CLICKHOUSE = "clickhouse"
    DATABRICKS = "databricks"
    DUCKDB = "duckdb"
    POSTGRESQL = "postgresql"
    REDSHIFT = "redshift"
    SNOWFLAKE = "snowflake"
    SPARK = "spark"
    TRINO = "trino"


@dataclass(frozen=True)
class Types:
    """What an engine calls each Arrow type of the tables."""

    text: str
    small: str
    number: str
    flag: str
    time: str
    texts: str
    labels: str

    def of(self, type_: pa.DataType) -> str:
        """Return the engine's name of an Arrow type; raises `KeyError` for one no table has."""
        return {
            pa.string(): self.text,
            pa.int32(): self.small,
            pa.int64(): self.number,
            pa.bool_(): self.flag,
            TIME: self.time,
            TEXTS: self.texts,
            LABELS: self.labels,
        }[type_]


_SPARK = Types(
    "STRING", "INT", "BIGINT", "BOOLEAN", "TIMESTAMP", "ARRAY<STRING>", "MAP<STRING, STRING>"
)

TYPES: Mapping[Dialect, Types] = MappingProxyType(
    {
        # Hive's types; a time is UTC, without a zone of its own.
        Dialect.ATHENA: Types(
            "string", "int", "bigint", "boolean", "timestamp", "array<string>", "map<string,string>"
        ),
        # BigQuery has no map: the reader makes it a list of pairs in `key_value`.
        Dialect.BIGQUERY: Types(
            "STRING",
            "INT64",
            "INT64",
            "BOOL",
            "TIMESTAMP",
            "ARRAY<STRING>",
            "STRUCT<key_value ARRAY<STRUCT<key STRING, value STRING>>>",
        ),
        # An array and a map cannot be null there: a null is read as an empty one.
        Dialect.CLICKHOUSE: Types(
            "Nullable(String)",
            "Nullable(Int32)",
            "Nullable(Int64)",
            "Nullable(Bool)",
            "Nullable(DateTime64(6, 'UTC'))",
            "Array(Nullable(String))",
            "Map(String, Nullable(String))",
        ),
        Dialect.DATABRICKS: _SPARK,
        Dialect.DUCKDB: Types(
            "VARCHAR",
            "INTEGER",
            "BIGINT",
            "BOOLEAN",
            "TIMESTAMPTZ",
            "VARCHAR[]",
            "MAP(VARCHAR, VARCHAR)",
        ),
        Dialect.POSTGRESQL: Types(
            "text", "integer", "bigint", "boolean", "timestamptz", "text[]", "jsonb"
        ),
        # The longest text that Redshift has: its default of 256 bytes would refuse a long name.
        Dialect.REDSHIFT: Types(
            "VARCHAR(65535)", "INTEGER", "BIGINT", "BOOLEAN", "TIMESTAMPTZ", "SUPER", "SUPER"
        ),
        Dialect.SNOWFLAKE: Types(
            "VARCHAR",
            "NUMBER(10, 0)",
            "NUMBER(19, 0)",
            "BOOLEAN",
            "TIMESTAMP_TZ(6)",
            "ARRAY",
            "VARIANT",
        ),
        Dialect.SPARK: _SPARK,
        Dialect.TRINO: Types(
            "varchar",
            "integer",
            "bigint",
            "boolean",
            "timestamp(6)",
            "array(varchar)",
            "map(varchar, varchar)",
        ),
    }
)


def name(text: str) -> str:
    """Return an identifier in the double quotes of standard SQL."""
    return '"' + text.replace('"', '""') + '"'


def ticked(text: str) -> str:
    """Return an identifier in backticks, as Hive, Spark and BigQuery quote."""
    return "`" + text.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return a text in the single quotes of standard SQL, a quote doubled."""
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    """Return a text in single quotes where a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
