"""DuckDB, ClickHouse, Spark and Databricks: they read the Parquet files, and the manifests as JSON.

The view `latest_snapshot` reads `manifests/latest.json`, which names the newest complete snapshot
and is replaced at once. So a partial snapshot is never in a view `latest_…`, nor are files that
are there before their manifest is.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.ddl.dialects import TYPES, Dialect, escaped, literal, name, ticked
from exporter.ddl.location import Location
from exporter.snapshots.layout import LATEST
from exporter.tables.columns import Table

SNAPSHOT_ID = "snapshot_id"
HIVE_COMMENT = 255
"""The bytes of a column's comment that Glue takes, and that older Hive metastores do."""
_CUT = " …"
SNAPSHOT_ID_MEANING = "The snapshot that the row is of"
LATEST_FILE = LATEST.rpartition("/")[2]
MANIFESTS = LATEST.rpartition("/")[0]
TEXTS_OF_MANIFEST = ("snapshot_id", "status", "format_version", "generator")
TIMES_OF_MANIFEST = ("started_at", "finished_at")
OBJECTS_OF_MANIFEST = ("source", "scope", "totals", "coverage")


def columns(table: Table) -> list[str]:
    """Return the names of a table's columns in a warehouse, `snapshot_id` first."""
    return [SNAPSHOT_ID, *table.schema.names]


def meaning(field: object, longest: int | None = None) -> str:
    """Return the description of a column of the tables, cut to as many bytes at a word."""
    metadata = getattr(field, "metadata", None) or {}
    text = str(metadata.get(b"description", b"").decode())
    if longest is None or len(text.encode()) <= longest:
        return text
    cut = text.encode()[: longest - len(_CUT.encode())].decode(errors="ignore")
    return cut.rpartition(" ")[0].rstrip(" ,:;") + _CUT


def lines(parts: Sequence[str]) -> str:
    """Return the parts of a list in SQL, each on a line of its own."""
    return ",\n  ".join(parts)


def latest_view(schema: str, table: Table) -> str:
    """Return the view of the newest complete snapshot's rows, in standard SQL."""
    chosen = lines([name(one) for one in columns(table)])
    return (
        f"CREATE OR REPLACE VIEW {name(schema)}.{name('latest_' + table.name)} AS\n"
        f"SELECT\n  {chosen}\nFROM {name(schema)}.{name(table.name)}\n"
        f"WHERE {name(SNAPSHOT_ID)} = "
        f"(SELECT {name(SNAPSHOT_ID)} FROM {name(schema)}.{name('latest_snapshot')})"
    )


def duckdb(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return views over the files, for DuckDB."""
    root = place.path.rstrip("/") if place.kind == "local" else place.url()
    if place.kind == "azure":
        account, _, rest = place.azure().partition(".blob.core.windows.net/")
        root = f"abfss://{account}.dfs.core.windows.net/{rest}"
    texts = [f"{one}: 'VARCHAR'" for one in TEXTS_OF_MANIFEST]
    times = [f"{one}: 'TIMESTAMPTZ'" for one in TIMES_OF_MANIFEST]
    objects = [f"{one}: 'JSON'" for one in OBJECTS_OF_MANIFEST]
    read = f"columns = {{{', '.join([*texts, *times, *objects])}}}"
    every = [*TEXTS_OF_MANIFEST, *TIMES_OF_MANIFEST, *OBJECTS_OF_MANIFEST]
    chosen = ", ".join(name(one) for one in every)
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {name(schema)}",
        (
            f"CREATE OR REPLACE VIEW {name(schema)}.{name('snapshots')} AS\n"
            f"SELECT {chosen}\n"
            f"FROM read_json({literal(f'{root}/{MANIFESTS}/*.json')}, filename = true,\n  {read})\n"
            f"WHERE NOT ends_with(filename, {literal('/' + LATEST_FILE)})"
        ),
        (
            f"CREATE OR REPLACE VIEW {name(schema)}.{name('latest_snapshot')} AS\n"
            f"SELECT {chosen}\nFROM read_json({literal(f'{root}/{LATEST}')},\n  {read})"
        ),
    ]
    for table in tables:
        statements += _duckdb_table(table, root, schema)
    return statements


def _duckdb_table(table: Table, root: str, schema: str) -> list[str]:
    view = f"{name(schema)}.{name(table.name)}"
    types = TYPES[Dialect.DUCKDB]
    # No row, but every column: one that no file has yet is null.
    wanted = [
        f"NULL::{'VARCHAR' if one == SNAPSHOT_ID else types.of(table.schema.field(one).type)}"
        f" AS {name(one)}"
        for one in columns(table)
    ]
    chosen = lines([name(one) for one in columns(table)])
    files = f"{root}/parquet/{table.name}/{SNAPSHOT_ID}=*/*.parquet"
    comments = [(SNAPSHOT_ID, SNAPSHOT_ID_MEANING)]
    comments += [(field.name, meaning(field)) for field in table.schema]
    return [
        (
            f"CREATE OR REPLACE VIEW {view} AS\nSELECT\n  {chosen}\nFROM (\n"
            f"  SELECT {', '.join(wanted)} WHERE false\n  UNION ALL BY NAME\n"
            f"  SELECT * FROM read_parquet({literal(files)}, union_by_name = true,\n"
            f"    hive_partitioning = true, hive_types = {{'{SNAPSHOT_ID}': VARCHAR}})\n)"
        ),
        f"COMMENT ON VIEW {view} IS {literal(table.description)}",
        *(f"COMMENT ON COLUMN {view}.{name(one)} IS {literal(said)}" for one, said in comments),
        latest_view(schema, table),
    ]


def clickhouse(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return views over the files, for ClickHouse."""
    times = [
        f"parseDateTime64BestEffort(JSONExtractString(json, '{one}'), 6, 'UTC') AS {name(one)}"
        for one in TIMES_OF_MANIFEST
    ]
    objects = [f"JSONExtractRaw(json, '{one}') AS {name(one)}" for one in OBJECTS_OF_MANIFEST]
    texts = [f"JSONExtractString(json, '{one}') AS {name(one)}" for one in TEXTS_OF_MANIFEST]
    chosen = f"SELECT\n  {lines([*texts, *times, *objects])}\nFROM "
    statements = [f"CREATE DATABASE IF NOT EXISTS {name(schema)}"]
    for view, path, where in (
        ("snapshots", f"{MANIFESTS}/*.json", f"\nWHERE _file != {escaped(LATEST_FILE)}"),
        ("latest_snapshot", LATEST, ""),
    ):
        manifests = _clickhouse_files(place, path, "JSONAsString", "json String")
        statements += _clickhouse_view(schema, view, f"{chosen}{manifests}{where}")
    types = TYPES[Dialect.CLICKHOUSE]
    for table in tables:
        inside = ", ".join(f"{name(one.name)} {types.of(one.type)}" for one in table.schema)
        path = f"parquet/{table.name}/{SNAPSHOT_ID}=*/*.parquet"
        rows = (
            f"SELECT\n  extract(_path, '{SNAPSHOT_ID}=([^/]+)/') AS {name(SNAPSHOT_ID)},\n"
            f"  {lines([name(one) for one in table.schema.names])}\n"
            f"FROM {_clickhouse_files(place, path, 'Parquet', inside)}\n"
            # Else the path would give a column of that name, whose type is guessed.
            "SETTINGS use_hive_partitioning = 0, input_format_parquet_allow_missing_columns = 1"
        )
        comment = f"MODIFY COMMENT {escaped(table.description)}"
        statements += _clickhouse_view(schema, table.name, rows)
        statements.append(f"ALTER TABLE {name(schema)}.{name(table.name)} {comment}")
        statements += _clickhouse_view(
            schema, f"latest_{table.name}", latest_view(schema, table).partition(" AS\n")[2]
        )
    return statements


def _clickhouse_files(place: Location, path: str, format_: str, columns: str) -> str:
    """Return the table function that reads files of a place."""
    more = f"{escaped(format_)}, {escaped(columns)}"
    if place.kind == "local":
        return f"file({escaped(place.path.rstrip('/') + '/' + path)}, {more})"
    inside = f"{place.path}/{path}" if place.path else path
    if place.kind == "gs":
        return f"gcs({escaped(f'https://storage.googleapis.com/{place.bucket}/{inside}')}, {more})"
    # The certificate of the service does not hold for a bucket with a dot before its name.
    host = "s3.amazonaws.com"
    host = f"{host}/{place.bucket}" if "." in place.bucket else f"{place.bucket}.{host}"
    return f"s3({escaped(f'https://{host}/{inside}')}, {more})"


def _clickhouse_view(schema: str, view: str, query: str) -> list[str]:
    """Return the statements that make a view anew, and refuse to where a table has its name.

    CREATE OR REPLACE VIEW would drop the table, such as one that was loaded.
    """
    full = f"{name(schema)}.{name(view)}"
    return [f"DROP VIEW IF EXISTS {full}", f"CREATE VIEW {full} AS\n{query}"]


def spark(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return external tables and views, for Spark."""
    # Hadoop's name of its S3 client; vendors' own Sparks know it too.
    return _spark(Dialect.SPARK, tables, place.url(s3="s3a"), schema)


def databricks(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return external tables and views, for Databricks."""
    return _spark(Dialect.DATABRICKS, tables, place.url(), schema)


def _spark(dialect: Dialect, tables: Sequence[Table], root: str, schema: str) -> list[str]:
    types = TYPES[dialect]
    manifest = [f"{ticked(one)} STRING" for one in (*TEXTS_OF_MANIFEST, *OBJECTS_OF_MANIFEST)]
    manifest += [f"{ticked(one)} TIMESTAMP" for one in TIMES_OF_MANIFEST]
    manifests = f"{ticked(schema)}.{ticked('manifests')}"
    every = [*TEXTS_OF_MANIFEST, *TIMES_OF_MANIFEST, *OBJECTS_OF_MANIFEST]
    chosen = ", ".join(ticked(one) for one in every)
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {ticked(schema)}",
        (
            f"CREATE TABLE IF NOT EXISTS {manifests} (\n  {lines(manifest)}\n)\n"
            "USING JSON OPTIONS (multiLine 'true', pathGlobFilter '*.json')\n"
            f"LOCATION {escaped(f'{root}/{MANIFESTS}')}"
        ),
        f"REFRESH TABLE {manifests}",
        (
            f"CREATE OR REPLACE VIEW {ticked(schema)}.{ticked('snapshots')} AS\nSELECT {chosen}\n"
            f"FROM {manifests}\nWHERE _metadata.file_name <> {escaped(LATEST_FILE)}"
        ),
        (
            f"CREATE OR REPLACE VIEW {ticked(schema)}.{ticked('latest_snapshot')} AS\n"
            f"SELECT {chosen}\nFROM {manifests}\nWHERE _metadata.file_name = {escaped(LATEST_FILE)}"
        ),
    ]
    for table in tables:
        full = f"{ticked(schema)}.{ticked(table.name)}"
        stated = [
            f"{ticked(one.name)} {types.of(one.type)} COMMENT {escaped(meaning(one, HIVE_COMMENT))}"
            for one in table.schema
        ]
        stated.append(f"{ticked(SNAPSHOT_ID)} STRING COMMENT {escaped(SNAPSHOT_ID_MEANING)}")
        statements += [
            (
                f"CREATE TABLE IF NOT EXISTS {full} (\n  {lines(stated)}\n)\n"
                f"USING PARQUET\nPARTITIONED BY ({ticked(SNAPSHOT_ID)})\n"
                f"LOCATION {escaped(f'{root}/parquet/{table.name}')}\n"
                f"COMMENT {escaped(table.description)}"
            ),
            f"MSCK REPAIR TABLE {full} SYNC PARTITIONS",
            latest_view(schema, table).replace('"', "`"),
        ]
    return statements
