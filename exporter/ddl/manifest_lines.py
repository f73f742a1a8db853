"""Athena, Trino and BigQuery: they read the Parquet files, and the manifests line by line.

None of them reads a JSON object of several lines. A manifest has each of its own values on a line
of two spaces, the name and the value, and lines of the objects inside it begin with more spaces. So
a regular expression finds them, and `latest.json` names the newest complete snapshot here too.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.ddl.dialects import TYPES, Dialect, escaped, literal, name, ticked
from exporter.ddl.external import (
    HIVE_COMMENT,
    LATEST_FILE,
    MANIFESTS,
    SNAPSHOT_ID,
    SNAPSHOT_ID_MEANING,
    TEXTS_OF_MANIFEST,
    TIMES_OF_MANIFEST,
    latest_view,
    lines,
    meaning,
)
from exporter.ddl.location import Location
from exporter.tables.columns import Table

_LINES = "manifest_lines"
_BIGQUERY_COMMENT = 1024
"""The letters of a column's description that BigQuery takes."""
_VALUE = '^  "(?:{names})": "(.*?)",?$'


def athena(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return external tables with partitions, and views, for Athena."""
    types = TYPES[Dialect.ATHENA]
    root = place.url()
    statements = [
        f"CREATE DATABASE IF NOT EXISTS {ticked(schema)}",
        (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {ticked(schema)}.{ticked(_LINES)} (\n"
            "  `line` string COMMENT 'A line of a manifest'\n)\n"
            # No text of JSON has this character.
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001'\nSTORED AS TEXTFILE\n"
            f"LOCATION {escaped(f'{root}/{MANIFESTS}/')}"
        ),
        *_manifest_views(schema),
    ]
    for table in tables:
        full = f"{ticked(schema)}.{ticked(table.name)}"
        stated = [
            f"{ticked(one.name)} {types.of(one.type)} COMMENT {escaped(meaning(one, HIVE_COMMENT))}"
            for one in table.schema
        ]
        statements += [
            (
                f"CREATE EXTERNAL TABLE IF NOT EXISTS {full} (\n  {lines(stated)}\n)\n"
                f"COMMENT {escaped(table.description)}\n"
                f"PARTITIONED BY (`{SNAPSHOT_ID}` string COMMENT {escaped(SNAPSHOT_ID_MEANING)})\n"
                f"STORED AS PARQUET\nLOCATION {escaped(f'{root}/parquet/{table.name}/')}"
            ),
            f"MSCK REPAIR TABLE {full}",
            latest_view(schema, table),
        ]
    return statements


def trino(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return external tables with partitions, and views, for a Hive catalog of Trino."""
    types = TYPES[Dialect.TRINO]
    root = place.url()
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {name(schema)}",
        (
            f"CREATE TABLE IF NOT EXISTS {name(schema)}.{name(_LINES)} (\n"
            "  \"line\" varchar COMMENT 'A line of a manifest'\n)\n"
            f"WITH (format = 'TEXTFILE', external_location = {literal(f'{root}/{MANIFESTS}/')})"
        ),
        *_manifest_views(schema),
    ]
    for table in tables:
        full = f"{name(schema)}.{name(table.name)}"
        stated = [
            f"{name(one.name)} {types.of(one.type)} COMMENT {literal(meaning(one, HIVE_COMMENT))}"
            for one in table.schema
        ]
        stated.append(f"{name(SNAPSHOT_ID)} varchar COMMENT {literal(SNAPSHOT_ID_MEANING)}")
        statements += [
            (
                f"CREATE TABLE IF NOT EXISTS {full} (\n  {lines(stated)}\n)\n"
                f"COMMENT {literal(table.description)}\n"
                "WITH (\n  format = 'PARQUET',\n"
                f"  external_location = {literal(f'{root}/parquet/{table.name}/')},\n"
                f"  partitioned_by = ARRAY['{SNAPSHOT_ID}']\n)"
            ),
            (
                "CALL system.sync_partition_metadata("
                f"{literal(schema)}, {literal(table.name)}, 'FULL')"
            ),
            latest_view(schema, table),
        ]
    return statements


def _manifest_views(schema: str) -> list[str]:
    """Return `snapshots` and `latest_snapshot`, in the SQL that Athena and Trino share."""

    def value(column: str) -> str:
        pattern = _VALUE.format(names=column)
        return f'max(regexp_extract("line", {literal(pattern)}, 1))'

    texts = [f"{value(one)} AS {name(one)}" for one in TEXTS_OF_MANIFEST]
    # A view of Athena's has no type for a time with its zone.
    times = [
        f"CAST(from_iso8601_timestamp({value(one)}) AT TIME ZONE 'UTC' AS timestamp) AS {name(one)}"
        for one in TIMES_OF_MANIFEST
    ]
    chosen = lines([*texts, *times])
    source = f"FROM {name(schema)}.{name(_LINES)}\n"
    return [
        f"CREATE OR REPLACE VIEW {name(schema)}.{name(view)} AS\nSELECT\n  {chosen}\n{source}"
        f'WHERE {where}\nGROUP BY "$path"'
        for view, where in (
            (
                "snapshots",
                f'"$path" LIKE \'%.json\' AND "$path" NOT LIKE {literal("%/" + LATEST_FILE)}',
            ),
            ("latest_snapshot", f'"$path" LIKE {literal("%/" + LATEST_FILE)}'),
        )
    ]


def bigquery(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return external tables with partitions, and views, for BigQuery."""
    types = TYPES[Dialect.BIGQUERY]
    root = place.url()
    # A bucket of another cloud is read through a connection of BigQuery Omni.
    connection = "" if place.kind == "gs" else f"WITH CONNECTION `aws-us-east-1.{schema}`\n"
    manifests = f"{ticked(schema)}.{ticked(_LINES)}"
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {ticked(schema)}",
        (
            f"CREATE OR REPLACE EXTERNAL TABLE {manifests} (\n"
            "  `line` STRING OPTIONS (description = 'A line of a manifest')\n)\n"
            f"{connection}OPTIONS (\n  format = 'CSV',\n  field_delimiter = '\\x01',\n"
            "  quote = '',\n"
            f"  uris = [{escaped(f'{root}/{MANIFESTS}/*.json')}]\n)"
        ),
        *_bigquery_manifest_views(schema),
    ]
    for table in tables:
        folder = f"{root}/parquet/{table.name}"
        stated = [
            f"{ticked(one.name)} {types.of(one.type)} "
            f"OPTIONS (description = {escaped(meaning(one, _BIGQUERY_COMMENT))})"
            for one in table.schema
        ]
        statements += [
            (
                f"CREATE OR REPLACE EXTERNAL TABLE {ticked(schema)}.{ticked(table.name)} (\n"
                f"  {lines(stated)}\n)\nWITH PARTITION COLUMNS (`{SNAPSHOT_ID}` STRING)\n"
                f"{connection}OPTIONS (\n  description = {escaped(table.description)},\n"
                "  format = 'PARQUET',\n  enable_list_inference = TRUE,\n"
                f"  uris = [{escaped(folder + '/*')}],\n"
                f"  hive_partition_uri_prefix = {escaped(folder)}\n)"
            ),
            latest_view(schema, table).replace('"', "`"),
        ]
    return statements


def _bigquery_manifest_views(schema: str) -> list[str]:
    def value(column: str) -> str:
        pattern = _VALUE.format(names=column)
        return f"MAX(REGEXP_EXTRACT(`line`, r{literal(pattern)}))"

    texts = [f"{value(one)} AS {ticked(one)}" for one in TEXTS_OF_MANIFEST]
    times = [f"TIMESTAMP({value(one)}) AS {ticked(one)}" for one in TIMES_OF_MANIFEST]
    return [
        f"CREATE OR REPLACE VIEW {ticked(schema)}.{ticked(view)} AS\nSELECT\n"
        f"  {lines([*texts, *times])}\nFROM {ticked(schema)}.{ticked(_LINES)}\n"
        f"WHERE {negation}ENDS_WITH(_FILE_NAME, {escaped('/' + LATEST_FILE)})\n"
        "GROUP BY _FILE_NAME"
        for view, negation in (("snapshots", "NOT "), ("latest_snapshot", ""))
    ]
