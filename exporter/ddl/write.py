"""The script of one dialect: its comments, and its statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from exporter.ddl import bulk, external, manifest_lines
from exporter.ddl.dialects import Dialect
from exporter.ddl.location import Location, locate
from exporter.ddl.postgresql import postgresql
from exporter.errors import SettingsError
from exporter.tables.columns import Table

_Writer = Callable[[Sequence[Table], Location, str], list[str]]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

_WRITERS: Mapping[Dialect, _Writer] = MappingProxyType(
    {
        Dialect.ATHENA: manifest_lines.athena,
        Dialect.BIGQUERY: manifest_lines.bigquery,
        Dialect.CLICKHOUSE: external.clickhouse,
        Dialect.DATABRICKS: external.databricks,
        Dialect.DUCKDB: external.duckdb,
        Dialect.POSTGRESQL: postgresql,
        Dialect.REDSHIFT: bulk.redshift,
        Dialect.SNOWFLAKE: bulk.snowflake,
        Dialect.SPARK: external.spark,
        Dialect.TRINO: manifest_lines.trino,
    }
)

_ALL = (
    "A table has the rows of all the snapshots whose files are there, and snapshot_id says which.",
    "A view latest_… has those of the newest complete snapshot, which manifests/latest.json names:",
    "never those of a partial one, nor files of an export that is not finished. The same files are",
    "in the tables: join snapshots to leave out those that no manifest names.",
)
_COPIED = (
    "The last statement copies the newest complete snapshot, which manifests/latest.json names.",
    "It replaces that snapshot's rows and nothing else: run it after each export. A table keeps",
    "the snapshots that were copied; a partial one never is.",
    "A view latest_… has the rows of the newest complete one in the table snapshots.",
)
_NOTES: Mapping[Dialect, Sequence[str]] = MappingProxyType(
    {
        Dialect.ATHENA: (
            *_ALL,
            "Athena runs one statement at a time. After each export, run the MSCK REPAIR TABLE",
            "statements again: until then the views are empty. They do not remove what was pruned:",
            "drop a table and create it again for that. A partition projection would not need",
            "them, but these views cannot use an injected one.",
            "Athena's timestamp is UTC and has milliseconds; the files have microseconds.",
        ),
        Dialect.BIGQUERY: (
            *_ALL,
            "Name the snapshot_id in a query to read its files alone. To copy rows to a table of",
            "BigQuery's own, select from these tables, one snapshot a load.",
            "A bucket of S3 is read through a connection: put the name of yours in its place.",
            "A map is a list of pairs: labels.key_value.",
        ),
        Dialect.CLICKHOUSE: (
            *_ALL,
            "A bucket is read with the server's own credentials. A path is one below the server's",
            "user_files_path. Older versions show times before 1900 or after 2299 wrong.",
            "A list or a map that is null is read as an empty one.",
            "To have the rows in ClickHouse: registry-exporter load --to clickhouse://…",
        ),
        Dialect.DATABRICKS: (
            *_ALL,
            "After each export, run the REFRESH TABLE and the MSCK REPAIR TABLE statements again:",
            "until then the views are empty.",
            "The place must be in an external location of the Unity Catalog.",
        ),
        Dialect.DUCKDB: (
            *_ALL,
            "For a bucket, create a secret first, such as",
            "CREATE SECRET (TYPE s3, PROVIDER credential_chain).",
            "To have the rows in DuckDB itself: registry-exporter load --to duckdb:PATH",
        ),
        Dialect.POSTGRESQL: (
            *_COPIED,
            "PostgreSQL reads no Parquet: the function reads the NDJSON files, which the snapshot",
            "must have, by a program on the server's machine, and needs pg_execute_server_program.",
            "Where that is not allowed: registry-exporter load --to postgresql://…",
            "U+0000 in a text becomes U+FFFD.",
        ),
        Dialect.REDSHIFT: (
            *_COPIED,
            "The cluster's default IAM role reads the bucket, which must be in its region.",
            "COPY goes by position: the tables must have the columns of the files, in their order.",
            "Lists and maps are SUPER.",
        ),
        Dialect.SNOWFLAKE: (
            *_COPIED,
            "The storage integration must exist: put the name of yours in its place.",
            "DDL commits, so the procedure does none while it copies. FORCE = TRUE makes COPY take",
            "files that it has copied before.",
        ),
        Dialect.SPARK: (
            *_ALL,
            "After each export, run the REFRESH TABLE and the MSCK REPAIR TABLE statements again:",
            "until then the views are empty.",
        ),
        Dialect.TRINO: (
            *_ALL,
            "Run it in a Hive catalog whose hive.timestamp-precision is MICROSECONDS. After each",
            "export, run the CALL statements again: until then the views are empty.",
            "A timestamp is UTC.",
        ),
    }
)


def script(dialect: Dialect, tables: Sequence[Table], place: str, schema: str) -> str:
    """Return the SQL with which an engine reads or loads the snapshots at a place.

    `place` is a path or a URL as `--from` takes it, `schema` the name of the schema that the tables
    and views get. Raises `SettingsError` for a place that the engine cannot read, and for a schema
    that is no plain name.
    """
    if not _PLAIN_NAME.fullmatch(schema):
        raise SettingsError(
            f"--schema {schema} is no plain name: use letters, digits and _, at most 63 of them."
        )
    statements = _WRITERS[dialect](tables, locate(place, dialect), schema)
    notes = "\n".join(f"-- {line}" for line in _NOTES[dialect])
    return "\n\n".join([notes, *(f"{one};" for one in statements)])
