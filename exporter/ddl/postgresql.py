"""PostgreSQL: a function copies the rows of the newest complete snapshot from its NDJSON.

PostgreSQL reads no Parquet, so a program of the server's machine hands it the NDJSON files. The
function does what those of `bulk.py` do, and makes a partition of each table for the snapshot.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from exporter.ddl.bulk import ID_PATTERN, MANIFEST_OBJECTS, newest_loaded
from exporter.ddl.dialects import TYPES, Dialect, literal, name
from exporter.ddl.external import SNAPSHOT_ID, SNAPSHOT_ID_MEANING, lines, meaning
from exporter.ddl.location import Location
from exporter.snapshots.layout import LATEST
from exporter.tables.columns import Table

# One column of raw text: no text of JSON has these two characters.
_RAW = "(FORMAT csv, DELIMITER E''\\x01'', QUOTE E''\\x02'')"
# PostgreSQL cannot hold U+0000; a backslash before it may itself be escaped.
_NO_NUL = r"regexp_replace(line, '(?<!\\)((\\\\)*)\\u0000', '\1\\ufffd', 'g')"


def postgresql(tables: Sequence[Table], place: Location, schema: str) -> list[str]:
    """Return tables, views and a function that copies, for PostgreSQL."""
    types = TYPES[Dialect.POSTGRESQL]
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {name(schema)}",
        f"CREATE TABLE IF NOT EXISTS {name(schema)}.{name('snapshots')} (\n"
        f"  {name(SNAPSHOT_ID)} text PRIMARY KEY,\n  {name('status')} text NOT NULL,\n"
        f"  {name('started_at')} timestamptz,\n  {name('finished_at')} timestamptz,\n"
        f"  {name('loaded_at')} timestamptz,\n  {name('format_version')} text,\n"
        f"  {name('generator')} text,\n"
        + "".join(f"  {name(one)} jsonb,\n" for one in MANIFEST_OBJECTS)
        + f"  {name('publication')} bigint NOT NULL\n)",
    ]
    for table in tables:
        full = f"{name(schema)}.{name(table.name)}"
        stated = [f"{name(SNAPSHOT_ID)} text NOT NULL"]
        stated += [f"{name(one.name)} {types.of(one.type)}" for one in table.schema]
        key = ", ".join(name(one) for one in (SNAPSHOT_ID, *table.key))
        comments = [(SNAPSHOT_ID, SNAPSHOT_ID_MEANING)]
        comments += [(one.name, meaning(one)) for one in table.schema]
        statements += [
            (
                f"CREATE TABLE IF NOT EXISTS {full} (\n  {lines(stated)}\n)\n"
                f"PARTITION BY LIST ({name(SNAPSHOT_ID)})"
            ),
            # No primary key: registry_id is null for a blob of a registry that was not listed.
            f"CREATE INDEX IF NOT EXISTS {name(table.name + '_key')} ON {full} ({key})",
            f"COMMENT ON TABLE {full} IS {literal(table.description)}",
            *(f"COMMENT ON COLUMN {full}.{name(one)} IS {literal(said)}" for one, said in comments),
            newest_loaded(schema, table),
        ]
    function = f"{name(schema)}.{name('load_latest')}"
    return [
        *statements,
        (
            f"CREATE OR REPLACE FUNCTION {function}()\nRETURNS text\nLANGUAGE plpgsql\nAS $load$\n"
            f"{_body(tables, place, schema)}\n$load$"
        ),
        f"SELECT {function}()",
    ]


def _body(tables: Sequence[Table], place: Location, schema: str) -> str:
    snapshots = f"{name(schema)}.{name('snapshots')}"
    body = [
        "DECLARE",
        "  manifest jsonb;",
        "  newest text;",
        "  part text;",
        "  counted bigint;",
        "BEGIN",
        "  DROP TABLE IF EXISTS pg_temp.incoming;",
        "  CREATE TEMPORARY TABLE incoming (line text);",
        (
            f"  EXECUTE format('COPY pg_temp.incoming FROM PROGRAM %L {_RAW}', "
            f"{_fetched(place, literal(LATEST))});"
        ),
        f"  SELECT string_agg({_NO_NUL}, '')::jsonb INTO manifest FROM pg_temp.incoming;",
        "  newest := manifest ->> 'snapshot_id';",
        f"  IF newest IS NULL OR newest !~ '^{ID_PATTERN}$' THEN",
        "    RAISE EXCEPTION 'The manifest names no snapshot id.';",
        "  END IF;",
        f"  DELETE FROM {snapshots} WHERE {name(SNAPSHOT_ID)} = newest;",
    ]
    for table in tables:
        body += _table(table, place, schema)
    body += [
        f"  INSERT INTO {snapshots}",
        "  SELECT newest, manifest ->> 'status', (manifest ->> 'started_at')::timestamptz,",
        "    (manifest ->> 'finished_at')::timestamptz, now(), manifest ->> 'format_version',",
        "    manifest ->> 'generator', "
        + ", ".join(f"manifest -> '{one}'" for one in MANIFEST_OBJECTS)
        + ",",
        "    coalesce((manifest ->> 'publication')::bigint, 0);",
        "  DROP TABLE pg_temp.incoming;",
        "  RETURN newest;",
        "END",
    ]
    return "\n".join(body)


def _table(table: Table, place: Location, schema: str) -> list[str]:
    types = TYPES[Dialect.POSTGRESQL]
    stated = ", ".join(f"{name(one.name)} {types.of(one.type)}" for one in table.schema)
    entry = f"manifest #> '{{tables,{table.name}}}'"
    # The name of a partition has at most 63 bytes, and an id may have 64.
    partition = f"'{table.name}_' || md5(newest)"
    return [
        "  TRUNCATE pg_temp.incoming;",
        f"  FOR part IN SELECT one ->> 'path' FROM jsonb_array_elements({entry} -> 'files') one",
        "    WHERE one ->> 'format' = 'ndjson' ORDER BY 1",
        "  LOOP",
        # The path becomes a part of a command line of the server's machine.
        "    IF part !~ '^[A-Za-z0-9._=/-]+$' THEN",
        "      RAISE EXCEPTION 'The manifest names a file %, which no snapshot has.', part;",
        "    END IF;",
        f"    EXECUTE format('COPY pg_temp.incoming FROM PROGRAM %L {_RAW}',",
        f"      {_fetched(place, 'part')} || ' | gzip -dc');",
        "  END LOOP;",
        "  SELECT count(*) INTO counted FROM pg_temp.incoming;",
        f"  IF counted <> coalesce(({entry} ->> 'rows')::bigint, 0) THEN",
        (
            f"    RAISE EXCEPTION 'The NDJSON files of {table.name} have % rows, and the manifest "
            f"says %.', counted, {entry} ->> 'rows';"
        ),
        "  END IF;",
        f"  EXECUTE format('DROP TABLE IF EXISTS {name(schema)}.%I', {partition});",
        (
            f"  EXECUTE format('CREATE TABLE {name(schema)}.%I PARTITION OF "
            f"{name(schema)}.{name(table.name)} FOR VALUES IN (%L)', {partition}, newest);"
        ),
        f"  INSERT INTO {name(schema)}.{name(table.name)}",
        "  SELECT newest, rows.* FROM pg_temp.incoming,",
        f"    jsonb_to_record(({_NO_NUL})::jsonb) AS rows({stated});",
    ]


def _fetched(place: Location, path: str) -> str:
    """Return an SQL text: the command line that prints the file whose path the SQL `path` gives."""
    root = shlex.quote(place.path.rstrip("/") if place.kind == "local" else place.url())
    before, after = {
        "local": ("cat ", ""),
        "s3": ("aws s3 cp ", " -"),
        "gs": ("gcloud storage cat ", ""),
    }[place.kind]
    told = f"{literal(before + root + '/')} || {path}"
    return f"{told} || {literal(after)}" if after else told
