"""Snowflake and Redshift: they copy the rows of the newest complete snapshot into tables.

Each gets a procedure `load_latest`. It takes the snapshot that `manifests/latest.json` names, which
is never a partial one, replaces its rows in one transaction, compares the number of rows of each
table with the manifest, and writes the row in `snapshots` last. The views `latest_…` take the
newest complete snapshot of `snapshots`, by publication.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.ddl.dialects import TYPES, Dialect, escaped, literal, name
from exporter.ddl.external import (
    SNAPSHOT_ID,
    SNAPSHOT_ID_MEANING,
    columns,
    lines,
    meaning,
)
from exporter.ddl.location import Location
from exporter.snapshots.layout import LATEST
from exporter.tables.columns import Table

MANIFEST_TEXTS = ("status", "started_at", "finished_at", "format_version", "generator")
MANIFEST_OBJECTS = ("source", "scope", "totals", "coverage")
ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]*"
_STAGE = "published"


def newest_loaded(schema: str, table: Table) -> str:
    """Return the view of the newest complete snapshot that is loaded, in standard SQL."""
    chosen = lines([name(one) for one in columns(table)])
    snapshots = f"{name(schema)}.{name('snapshots')}"
    return (
        f"CREATE OR REPLACE VIEW {name(schema)}.{name('latest_' + table.name)} AS\n"
        f"SELECT\n  {chosen}\nFROM {name(schema)}.{name(table.name)}\n"
        f"WHERE {name(SNAPSHOT_ID)} = (\n  SELECT {name(SNAPSHOT_ID)} FROM {snapshots}\n"
        f"  WHERE {name('status')} = 'complete'\n"
        f"  ORDER BY {name('publication')} DESC, {name('finished_at')} DESC, "
        f"{name(SNAPSHOT_ID)} DESC\n  LIMIT 1\n)"
    )


def snowflake_copy(table: Table, schema: str, snapshot_id: str) -> str:
    """Return the COPY of one snapshot's files into a table of Snowflake.

    `snapshot_id` is put between quotes, and into the path, as it is.
    """
    types = TYPES[Dialect.SNOWFLAKE]
    chosen = [f"'{snapshot_id}'"]
    chosen += [f"$1:{name(one.name)}::{types.of(one.type)}" for one in table.schema]
    listed = ", ".join(name(one) for one in columns(table))
    return (
        f"COPY INTO {name(schema)}.{name(table.name)} ({listed}) FROM (SELECT {', '.join(chosen)} "
        f"FROM @{name(schema)}.{name(_STAGE)}/parquet/{table.name}/{SNAPSHOT_ID}={snapshot_id}/) "
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE) "
        # Else a file that was copied once is left out, also where its rows were deleted since.
        "FORCE = TRUE"
    )


def snowflake(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return tables, views and a procedure that copies, for Snowflake."""
    types = TYPES[Dialect.SNOWFLAKE]
    url = {"s3": place.url, "gs": lambda: "gcs" + place.url().removeprefix("gs")}.get(
        place.kind, lambda: f"azure://{place.azure()}"
    )()
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {name(schema)}",
        (
            f"CREATE OR REPLACE STAGE {name(schema)}.{name(_STAGE)}\nURL = {escaped(url + '/')}\n"
            f"STORAGE_INTEGRATION = {name(schema.upper())}"
        ),
        f"CREATE OR REPLACE FILE FORMAT {name(schema)}.{name('manifest')} TYPE = JSON",
        f"CREATE TABLE IF NOT EXISTS {name(schema)}.{name('snapshots')} (\n"
        f"  {name(SNAPSHOT_ID)} VARCHAR NOT NULL PRIMARY KEY,\n  {name('status')} VARCHAR,\n"
        f"  {name('started_at')} TIMESTAMP_TZ(6),\n  {name('finished_at')} TIMESTAMP_TZ(6),\n"
        f"  {name('loaded_at')} TIMESTAMP_TZ(6),\n  {name('format_version')} VARCHAR,\n"
        f"  {name('generator')} VARCHAR,\n"
        + "".join(f"  {name(one)} VARIANT,\n" for one in MANIFEST_OBJECTS)
        + f"  {name('publication')} NUMBER(19, 0)\n)",
    ]
    for table in tables:
        stated = [
            f"{name(SNAPSHOT_ID)} VARCHAR NOT NULL COMMENT {escaped(SNAPSHOT_ID_MEANING)}",
            *(
                f"{name(one.name)} {types.of(one.type)} COMMENT {escaped(meaning(one))}"
                for one in table.schema
            ),
        ]
        statements += [
            (
                f"CREATE TABLE IF NOT EXISTS {name(schema)}.{name(table.name)} (\n"
                f"  {lines(stated)}\n)\nCLUSTER BY ({name(SNAPSHOT_ID)})\n"
                f"COMMENT = {escaped(table.description)}"
            ),
            newest_loaded(schema, table),
        ]
    procedure = f"{name(schema)}.{name('load_latest')}"
    return [
        *statements,
        (
            f"CREATE OR REPLACE PROCEDURE {procedure}()\nRETURNS VARCHAR\nLANGUAGE SQL\n"
            f"EXECUTE AS CALLER\nAS\n$$\n{_snowflake_body(tables, schema)}\n$$"
        ),
        f"CALL {procedure}()",
    ]


def _snowflake_body(tables: Sequence[Table], schema: str) -> str:
    incoming = f"{name(schema)}.{name('incoming_manifest')}"
    manifest = f"@{name(schema)}.{name(_STAGE)}/{LATEST}"
    form = f"FILE_FORMAT => {literal(name(schema) + '.' + name('manifest'))}"
    snapshots = f"{name(schema)}.{name('snapshots')}"
    body = [
        "DECLARE",
        "  newest VARCHAR;",
        "  counted NUMBER;",
        "  wanted NUMBER;",
        "  no_id EXCEPTION (-20001, 'The manifest names no snapshot id.');",
        "  differs EXCEPTION (-20002, 'A table has not the rows that the manifest says.');",
        "BEGIN",
        "  -- DDL commits, so all of it comes before the transaction.",
        f"  CREATE OR REPLACE TEMPORARY TABLE {incoming} AS",
        f"    SELECT $1 AS {name('content')} FROM {manifest} ({form});",
        f"  SELECT {name('content')}:snapshot_id::VARCHAR INTO :newest FROM {incoming};",
        f"  IF (NOT REGEXP_LIKE(newest, '{ID_PATTERN}')) THEN RAISE no_id; END IF;",
        "  -- A time of the files is one of UTC, whatever zone the session has.",
        "  ALTER SESSION SET TIMEZONE = 'UTC';",
        "  BEGIN TRANSACTION;",
        f"  DELETE FROM {snapshots} WHERE {name(SNAPSHOT_ID)} = :newest;",
    ]
    for table in tables:
        full = f"{name(schema)}.{name(table.name)}"
        # The id goes into the text of the statement: a path of a stage takes no variable.
        copy = literal(snowflake_copy(table, schema, "\0")).replace("\0", "' || newest || '")
        body += [
            f"  DELETE FROM {full} WHERE {name(SNAPSHOT_ID)} = :newest;",
            f"  EXECUTE IMMEDIATE {copy};",
            f"  SELECT COUNT(*) INTO :counted FROM {full} WHERE {name(SNAPSHOT_ID)} = :newest;",
            (
                f"  SELECT COALESCE({name('content')}:tables.{table.name}.rows::NUMBER, 0) "
                f"INTO :wanted FROM {incoming};"
            ),
            "  IF (counted <> wanted) THEN RAISE differs; END IF;",
        ]
    values = [f"{name('content')}:{one}" for one in (SNAPSHOT_ID, "status")]
    chosen = [
        f"{values[0]}::VARCHAR",
        f"{values[1]}::VARCHAR",
        f"{name('content')}:started_at::TIMESTAMP_TZ",
        f"{name('content')}:finished_at::TIMESTAMP_TZ",
        "CURRENT_TIMESTAMP()",
        f"{name('content')}:format_version::VARCHAR",
        f"{name('content')}:generator::VARCHAR",
        *(f"{name('content')}:{one}" for one in MANIFEST_OBJECTS),
        f"COALESCE({name('content')}:publication::NUMBER, 0)",
    ]
    body += [
        f"  INSERT INTO {snapshots} SELECT {', '.join(chosen)} FROM {incoming};",
        "  COMMIT;",
        "  RETURN newest;",
        "EXCEPTION",
        "  WHEN OTHER THEN",
        "    ROLLBACK;",
        "    RAISE;",
        "END;",
    ]
    return "\n".join(body)


def redshift_copy(table: Table, place: Location, snapshot_id: str) -> str:
    """Return the COPY of one snapshot's files into a table of Redshift for incoming rows."""
    source = f"{place.url()}/parquet/{table.name}/{SNAPSHOT_ID}={snapshot_id}/"
    return (
        f"COPY {name('incoming_' + table.name)} FROM {literal(source)} IAM_ROLE default "
        # By position: a file of an older format ends earlier. Lists and maps go to SUPER.
        "FORMAT AS PARQUET SERIALIZETOJSON FILLRECORD"
    )


def redshift(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return tables, views and a procedure that copies, for Redshift."""
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {name(schema)}",
        f"CREATE TABLE IF NOT EXISTS {name(schema)}.{name('snapshots')} (\n"
        f"  {name(SNAPSHOT_ID)} VARCHAR(64) NOT NULL,\n  {name('status')} VARCHAR(16),\n"
        f"  {name('started_at')} TIMESTAMPTZ,\n  {name('finished_at')} TIMESTAMPTZ,\n"
        f"  {name('loaded_at')} TIMESTAMPTZ,\n  {name('format_version')} VARCHAR(16),\n"
        f"  {name('generator')} VARCHAR(256),\n"
        + "".join(f"  {name(one)} SUPER,\n" for one in MANIFEST_OBJECTS)
        + f"  {name('publication')} BIGINT\n)",
    ]
    for table in tables:
        full = f"{name(schema)}.{name(table.name)}"
        stated = [f"{name(SNAPSHOT_ID)} VARCHAR(64) NOT NULL", *_redshift_columns(table)]
        comments = [(SNAPSHOT_ID, SNAPSHOT_ID_MEANING)]
        comments += [(one.name, meaning(one)) for one in table.schema]
        statements += [
            (
                f"CREATE TABLE IF NOT EXISTS {full} (\n  {lines(stated)}\n)\n"
                f"DISTSTYLE AUTO\nSORTKEY ({name(SNAPSHOT_ID)})"
            ),
            f"COMMENT ON TABLE {full} IS {literal(table.description)}",
            *(f"COMMENT ON COLUMN {full}.{name(one)} IS {literal(said)}" for one, said in comments),
            newest_loaded(schema, table),
        ]
    procedure = f"{name(schema)}.{name('load_latest')}"
    return [
        *statements,
        (
            f"CREATE OR REPLACE PROCEDURE {procedure}()\nAS $$\n"
            f"{_redshift_body(tables, place, schema)}\n$$ LANGUAGE plpgsql"
        ),
        f"CALL {procedure}()",
    ]


def _redshift_columns(table: Table) -> list[str]:
    types = TYPES[Dialect.REDSHIFT]
    return [f"{name(one.name)} {types.of(one.type)}" for one in table.schema]


def _redshift_body(tables: Sequence[Table], place: Location, schema: str) -> str:
    incoming, snapshots = name("incoming_manifest"), f"{name(schema)}.{name('snapshots')}"
    stated = [f"{name(SNAPSHOT_ID)} VARCHAR(64)"]
    stated += [f"{name(one)} VARCHAR(256)" for one in MANIFEST_TEXTS]
    stated += [f"{name(one)} SUPER" for one in (*MANIFEST_OBJECTS, "tables")]
    stated.append(f"{name('publication')} BIGINT")
    body = [
        "DECLARE",
        "  newest VARCHAR(64);",
        "  counted BIGINT;",
        "  wanted BIGINT;",
        "BEGIN",
        f"  DROP TABLE IF EXISTS {incoming};",
        f"  CREATE TEMP TABLE {incoming} ({', '.join(stated)});",
        (
            f"  COPY {incoming} FROM {literal(f'{place.url()}/{LATEST}')} IAM_ROLE default "
            "FORMAT AS JSON 'auto';"
        ),
        f"  SELECT INTO newest {name(SNAPSHOT_ID)} FROM {incoming};",
        f"  IF newest IS NULL OR newest !~ '^{ID_PATTERN}$' THEN",
        "    RAISE EXCEPTION 'The manifest names no snapshot id.';",
        "  END IF;",
        f"  DELETE FROM {snapshots} WHERE {name(SNAPSHOT_ID)} = newest;",
    ]
    for table in tables:
        full, part = f"{name(schema)}.{name(table.name)}", name(f"incoming_{table.name}")
        copy = literal(redshift_copy(table, place, "\0")).replace("\0", "' || newest || '")
        body += [
            f"  DROP TABLE IF EXISTS {part};",
            f"  CREATE TEMP TABLE {part} ({', '.join(_redshift_columns(table))});",
            f"  EXECUTE {copy};",
            f"  SELECT INTO counted COUNT(*) FROM {part};",
            (
                f"  SELECT INTO wanted m.{name('tables')}.{name(table.name)}.{name('rows')}"
                f"::BIGINT FROM {incoming} m;"
            ),
            "  IF counted <> wanted THEN",
            (
                f"    RAISE EXCEPTION 'The table {table.name} has % rows, and the manifest says "
                "%.', counted, wanted;"
            ),
            "  END IF;",
            f"  DELETE FROM {full} WHERE {name(SNAPSHOT_ID)} = newest;",
            f"  INSERT INTO {full} SELECT newest, * FROM {part};",
            f"  DROP TABLE {part};",
        ]
    chosen = [
        name(SNAPSHOT_ID),
        name("status"),
        f"{name('started_at')}::TIMESTAMPTZ",
        f"{name('finished_at')}::TIMESTAMPTZ",
        "GETDATE()::TIMESTAMPTZ",
        name("format_version"),
        name("generator"),
        *(name(one) for one in MANIFEST_OBJECTS),
        f"COALESCE({name('publication')}, 0)",
    ]
    body += [f"  INSERT INTO {snapshots} SELECT {', '.join(chosen)} FROM {incoming};", "END;"]
    return "\n".join(body)
