"""`schema --format ddl` run by the engines: every row of the newest complete snapshot, no other."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from exporter.cli.app import app
from exporter.tables.columns import TIME
from exporter.tables.schemas import TABLES
from tests.ddl.nights import FIRST, PARTIAL, SECOND, ordered, publish_nights, rows_of
from tests.derive.estates import Row

STATUSES = {FIRST: "complete", SECOND: "complete", PARTIAL: "partial"}


@pytest.fixture(scope="module")
def output() -> Iterator[Path]:
    # PostgreSQL's own user reads them too, and does not reach the folders of pytest.
    with tempfile.TemporaryDirectory(prefix="it's ") as folder:
        Path(folder).chmod(0o755)
        publish_nights(Path(folder) / "out")
        yield Path(folder) / "out"


def script(dialect: str, place: Path) -> str:
    arguments = ["schema", "--format", "ddl", "--dialect", dialect, "--from", str(place)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def statements(text: str) -> list[str]:
    return [one.strip() for one in text.split(";\n") if one.strip()]


def check(
    output: Path, read: Callable[[str], pa.Table], *, plain: Callable[[Row], Row] = lambda row: row
) -> None:
    """Compare what an engine reads with the files; `plain` makes of a row what the engine has."""
    for table in TABLES:
        latest, every = read(f"latest_{table}"), read(table)
        for view in (latest, every):
            assert view.schema.field("snapshot_id").type == pa.string(), table
        assert latest.column_names == ["snapshot_id", *TABLES[table].schema.names]
        assert ordered(rows(latest)) == ordered([*map(plain, rows_of(output, table, SECOND))])
        first = [row for row in rows(every) if row["snapshot_id"] == FIRST]
        wanted = [*map(plain, rows_of(output, table, FIRST))]
        assert ordered(first) == ordered([{name: one[name] for name in first[0]} for one in wanted])
        for field in TABLES[table].schema:
            if field.type in (pa.string(), pa.int32(), pa.int64(), pa.bool_(), TIME):
                assert latest.schema.field(field.name).type == field.type, field.name
    assert {row["snapshot_id"]: row["status"] for row in rows(read("snapshots"))} == STATUSES


def rows(table: pa.Table) -> list[Row]:
    return list(table.to_pylist(maps_as_pydicts="strict"))


def test_duckdb_reads_every_row_of_the_newest_complete_snapshot(output: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for _ in range(2):
            connection.execute(script("duckdb", output))

        def read(view: str) -> pa.Table:
            return connection.table(f"registry_inventory.{view}").to_arrow_table()

        check(output, read)


def test_clickhouse_reads_every_row_of_the_newest_complete_snapshot(
    output: Path, tmp_path: Path
) -> None:
    # Debian's server is too old for these statements: chdb is a new one, in a process.
    program = (
        "import json, pathlib, sys\n"
        "from chdb.session import Session\n"
        "session, (made, views) = Session(), json.load(sys.stdin)\n"
        "for statement in made: session.query(statement)\n"
        "for view in views:\n"
        "    found = session.query(f'SELECT * FROM registry_inventory.{view}', 'Parquet')\n"
        "    pathlib.Path(f'{view}.parquet').write_bytes(found.bytes())\n"
        # A table of the same name, such as one that was loaded, is not dropped for a view.
        "session.query('DROP VIEW registry_inventory.tags')\n"
        "session.query('CREATE TABLE registry_inventory.tags ENGINE = Log AS SELECT 7 AS x')\n"
        "try:\n"
        "    for statement in made: session.query(statement)\n"
        "except RuntimeError as error: assert 'tags' in str(error), error\n"
        "print(session.query('SELECT x FROM registry_inventory.tags'), end='')\n"
    )
    views = [*TABLES, *(f"latest_{table}" for table in TABLES), "snapshots"]
    told = json.dumps([statements(script("clickhouse", output)) * 2, views])
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, input=told, text=True, check=True, cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert done.stdout == "7\n"

    def not_null(row: Row) -> Row:
        # ClickHouse has no null of a list or of a map.
        empty: dict[str, Any] = {"labels": {}, "annotations": {}, "tags": [], "urls": []}
        return {name: empty.get(name) if one is None else one for name, one in row.items()}

    check(output, lambda view: pq.read_table(tmp_path / f"{view}.parquet"), plain=not_null)


def test_spark_reads_every_row_of_the_newest_complete_snapshot(
    output: Path, tmp_path: Path
) -> None:
    program = (
        "import json, sys\n"
        "import pyarrow.parquet as pq\n"
        "from pyspark.sql import SparkSession\n"
        "builder = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false')\n"
        "builder = builder.config('spark.sql.codegen.wholeStage', 'false')\n"
        "spark = builder.config('spark.sql.session.timeZone', 'UTC').getOrCreate()\n"
        "made, views = json.load(sys.stdin)\n"
        "for statement in made: spark.sql(statement)\n"
        "for view in views:\n"
        "    found = spark.table(f'registry_inventory.{view}').toArrow()\n"
        "    pq.write_table(found, f'{view}.parquet')\n"
    )
    # To compile takes Spark a second for each: some tables show every type.
    tables = ["clouds", "images"]
    views = [*tables, *(f"latest_{table}" for table in tables), "snapshots"]
    made = [one for one in statements(script("spark", output)) if is_about(one, tables)]
    subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([made, views]),
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
        capture_output=True,
    )
    for table in tables:
        latest = pq.read_table(tmp_path / f"latest_{table}.parquet")
        every = rows(pq.read_table(tmp_path / f"{table}.parquet"))
        assert ordered(rows(latest)) == ordered(rows_of(output, table, SECOND))
        first = [row for row in every if row["snapshot_id"] == FIRST]
        wanted = [{name: one[name] for name in every[0]} for one in rows_of(output, table, FIRST)]
        assert ordered(first) == ordered(wanted)
    said = rows(pq.read_table(tmp_path / "snapshots.parquet"))
    assert {row["snapshot_id"]: row["status"] for row in said} == STATUSES


def is_about(statement: str, tables: list[str]) -> bool:
    others = [f"`{table}`" for table in TABLES if table not in tables]
    others += [f"`latest_{table}`" for table in TABLES if table not in tables]
    head = statement.partition("\nSELECT")[0].partition("(")[0]
    return not any(one in head for one in others)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Callable[[str], str]]:
    """A server of its own, and a function that gives it SQL and returns what it prints."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    with tempfile.TemporaryDirectory() as folder:
        # The server refuses to be run by root.
        user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else os.getuid()
        os.chown(folder, user, -1)
        data = f"{folder}/data"
        initialise = [
            str(binaries / "initdb"),
            "-D",
            data,
            "-U",
            "x",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(initialise, user=user, check=True, cwd="/", capture_output=True)
        start = [str(binaries / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log"]
        listen = f"-k {folder} -c listen_addresses="
        subprocess.run([*start, "-o", listen, "start"], user=user, check=True, cwd="/", stdout=-3)

        def run(sql: str) -> str:
            shown = subprocess.run(
                ["psql", "-h", folder, "-U", "x", "-XqAt", "-v", "ON_ERROR_STOP=1", "postgres"],
                input=f"SET client_min_messages = warning; SET TimeZone = 'UTC';\n{sql}",
                capture_output=True,
                text=True,
                check=False,
            )
            assert shown.returncode == 0, shown.stderr
            return shown.stdout

        yield run
        subprocess.run(
            [*start, "-m", "immediate", "stop"], user=user, check=True, cwd="/", stdout=-3
        )


def test_postgresql_copies_every_row_of_the_newest_complete_snapshot(
    output: Path, postgres: Callable[[str], str], tmp_path: Path
) -> None:
    manifests, text = output / "manifests", script("postgresql", output)
    shutil.copy(manifests / "latest.json", tmp_path)
    shutil.copy(manifests / f"{FIRST}.json", manifests / "latest.json")
    assert postgres(text).splitlines()[-1] == FIRST
    shutil.copy(tmp_path / "latest.json", manifests)
    for _ in range(2):
        assert postgres(text).splitlines()[-1] == SECOND
    for table in TABLES:
        every = read_json(postgres, table)
        wanted = {one: rows_of(output, table, one) for one in (FIRST, SECOND)}
        both = [*map(without_nul, wanted[FIRST] + wanted[SECOND])]
        assert ordered(every) == ordered([in_order(row) for row in both])
        latest = read_json(postgres, f"latest_{table}")
        assert ordered(latest) == ordered([in_order(row) for row in wanted[SECOND]])
    assert postgres("SELECT snapshot_id FROM registry_inventory.snapshots ORDER BY 1").split() == [
        FIRST,
        SECOND,
    ]


def read_json(postgres: Callable[[str], str], view: str) -> list[Row]:
    printed = postgres(f"SELECT to_jsonb(one) FROM registry_inventory.{view} one")
    found = [json.loads(line) for line in printed.splitlines()]
    return [in_order(as_times(row)) for row in found]


def as_times(row: Row) -> Row:
    named = [name for name in row if name.endswith("_at") and row[name]]
    return row | {name: datetime.fromisoformat(row[name]).astimezone(UTC) for name in named}


def in_order(row: Row) -> Row:
    return {
        name: {key: one[key] for key in sorted(one)}
        if isinstance(one, dict)
        else one.astimezone(UTC)
        if isinstance(one, datetime)
        else one
        for name, one in sorted(row.items())
    }


def without_nul(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nul(one) for name, one in value.items()}
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def test_postgresql_refuses_files_that_differ_from_the_manifest(
    output: Path, postgres: Callable[[str], str]
) -> None:
    postgres(script("postgresql", output))
    [part] = (output / "ndjson" / "clouds" / f"snapshot_id={SECOND}").iterdir()
    kept = part.read_bytes()
    part.write_bytes(kept + kept)
    try:
        with pytest.raises(AssertionError, match="clouds have 2 rows, and the manifest says 1"):
            postgres("SELECT registry_inventory.load_latest()")
    finally:
        part.write_bytes(kept)
    assert len(read_json(postgres, "latest_clouds")) == 1
