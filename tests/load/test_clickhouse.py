"""Loads into ClickHouse: every row that was published, whole or not there, whatever happens.

The server is chdb, ClickHouse's engine in a process, behind HTTP (`clickhouse_server`): the command
under test reaches it through clickhouse-connect as it reaches any server.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest

from exporter.load.clickhouse.lease import _place
from exporter.tables.schemas import TABLES
from tests.ddl.nights import FIRST, PARTIAL, SECOND, ordered, publish_nights, rows_of
from tests.derive.estates import Row
from tests.e2e.commands import Exporter, Run

PASSWORD = "geheim-3f9"
KILLS = 12


class Server:
    """A server of its own process, which can be ended and started again on what it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.wish_file = folder / "data.wish"
        self.port = 0
        self.start()

    def start(self) -> None:
        program = str(Path(__file__).with_name("clickhouse_server.py"))
        port = [str(self.port)] if self.port else []
        self.process = subprocess.Popen(
            [sys.executable, program, str(self.folder), PASSWORD, *port],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        with self.process:
            self.process.kill()

    def wish(self, **told: Any) -> None:
        self.wish_file.write_text(json.dumps(told))

    def rows(self, query: str) -> list[Row]:
        """Return a query's rows, as Arrow has them, by another client than the program's."""
        with self._ask("?default_format=Arrow", query) as answer:
            table = pa.ipc.open_file(pa.BufferReader(answer.read())).read_all()
        return list(table.to_pylist(maps_as_pydicts="strict"))

    def run(self, statement: str) -> None:
        self._ask("", statement).close()

    def _ask(self, parameters: str, text: str) -> HTTPResponse:
        request = Request(f"http://127.0.0.1:{self.port}/{parameters}", text.encode())
        known = base64.b64encode(f"x:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {known}")
        answer: HTTPResponse = urlopen(request)
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("clickhouse"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "out"
    publish_nights(folder)
    return folder


class Loads:
    """Commands that load an output into a schema of one test."""

    def __init__(self, server: Server, output: Path, folder: Path, schema: str) -> None:
        self.server, self.output, self.schema = server, output, schema
        self.exporter = Exporter(folder)
        self.exporter.environment["CLICKHOUSE_PASSWORD"] = PASSWORD

    def arguments(self, *more: str) -> list[str]:
        to = ["--to", f"clickhouse://x@127.0.0.1:{self.server.port}/default"]
        place = ["--output", str(self.output), "--schema", self.schema]
        return ["load", *to, *place, "--log-format", "json", *more]

    def load(self, *more: str, code: int = 0) -> Run:
        run = self.exporter.command(*self.arguments(*more))
        assert run.code == code, run.stderr
        assert PASSWORD not in run.stderr + run.stdout
        return run

    def kill_at(self, statement: int, *more: str) -> int:
        """Load, and kill the command at so many statements; return its exit code."""
        wish = f"'at': {statement}, 'kill': os.getpid()"
        before = (
            "import json, os, pathlib\n"
            f"pathlib.Path({str(self.server.wish_file)!r}).write_text(json.dumps({{{wish}}}))"
        )
        return self.exporter.start_command(*self.arguments(*more), before=before).wait().code

    def rows(self, view: str, where: str = "1") -> list[Row]:
        return self.server.rows(f"SELECT * FROM {self.schema}.{view} WHERE {where}")

    def relations(self) -> set[str]:
        query = f"SELECT name FROM system.tables WHERE database = '{self.schema}'"
        return {row["name"] for row in self.server.rows(query)}

    def statuses(self) -> dict[str, str]:
        return {row["snapshot_id"]: row["status"] for row in self.rows("snapshots")}

    def check(self, *snapshots: str, latest: str) -> None:
        """Compare every table, row for row and type for type, with what was published."""
        for table in TABLES:
            wanted = {one: true_rows(self.output, table, one) for one in snapshots}
            found = self.rows(table)
            assert ordered(found) == ordered([row for one in wanted.values() for row in one])
            assert ordered(self.rows(f"latest_{table}")) == ordered(wanted[latest]), table

    def latest_is_whole(self) -> str | None:
        """Return which snapshot all the views show, having checked that it is all of them."""
        done = {name for name, status in self.statuses().items() if status == "complete"}
        newest = max(done, default=None)
        for table in TABLES:
            wanted = true_rows(self.output, table, newest) if newest else []
            assert ordered(self.rows(f"latest_{table}")) == ordered(wanted), table
        return newest


def true_rows(output: Path, table: str, snapshot_id: str) -> list[Row]:
    """Return the published rows; a list or a map that is null is empty in ClickHouse."""
    empty: Mapping[str, Any] = {"labels": {}, "annotations": {}, "tags": [], "urls": []}
    return [
        {name: empty.get(name) if value is None else value for name, value in row.items()}
        for row in rows_of(output, table, snapshot_id)
    ]


@pytest.fixture
def loads(
    server: Server, output: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Loads]:
    schema = request.node.name.removeprefix("test_").partition("[")[0][:40]
    yield Loads(server, output, tmp_path, schema)
    server.wish_file.unlink(missing_ok=True)
    server.run(f"DROP DATABASE IF EXISTS {schema} SYNC")


def test_two_nights_are_the_published_rows_and_again_and_with_a_partial_one(loads: Loads) -> None:
    loads.load("--dry-run")
    assert loads.relations() == set()
    for more in ([], [], ["--snapshot", FIRST, "--snapshot", SECOND]):
        loads.load(*more)
        loads.check(FIRST, SECOND, latest=SECOND)
    loads.load("--partial", code=3)
    loads.check(FIRST, SECOND, PARTIAL, latest=SECOND)
    assert loads.statuses() == {FIRST: "complete", SECOND: "complete", PARTIAL: "partial"}
    views = {f"latest_{table}" for table in TABLES}
    assert loads.relations() == {*TABLES, *views, "snapshots"}
    [first] = loads.rows("snapshots", f"snapshot_id = '{FIRST}'")
    manifest = json.loads((loads.output / "manifests" / f"{FIRST}.json").read_text())
    for name in ("source", "scope", "totals", "coverage"):
        assert json.loads(first[name]) == manifest[name]
    assert first["started_at"].isoformat() == "2026-01-01T00:00:00+00:00"
    columns = {
        (row["table"], row["name"]): (row["type"], row["comment"])
        for row in loads.server.rows(
            "SELECT table, name, type, comment FROM system.columns "
            f"WHERE database = '{loads.schema}'"
        )
    }
    for table in TABLES.values():
        for field in table.schema:
            comment = field.metadata[b"description"].decode()
            assert columns[table.name, field.name] == (TYPES[str(field.type)], comment)
        assert columns[table.name, "snapshot_id"][0] == "String"
    [[key]] = [
        list(row.values())
        for row in loads.server.rows(
            f"SELECT sorting_key FROM system.tables WHERE database = '{loads.schema}' "
            "AND name = 'layers'"
        )
    ]
    assert key == "snapshot_id, image_id, position"


TYPES = {
    "string": "Nullable(String)",
    "int32": "Nullable(Int32)",
    "int64": "Nullable(Int64)",
    "bool": "Nullable(Bool)",
    "timestamp[us, tz=UTC]": "Nullable(DateTime64(6, 'UTC'))",
    "list<item: string>": "Array(Nullable(String))",
    "map<string, string>": "Map(String, Nullable(String))",
}


def test_a_load_killed_at_any_statement_never_shows_a_mixture_and_is_mended(loads: Loads) -> None:
    loads.load("--snapshot", FIRST)
    draw = random.Random(16)
    # To load both again takes more than 115 statements; a commit begins at the 35th of each.
    for at in [draw.randrange(1, 116) for _ in range(KILLS)]:
        code = loads.kill_at(at, "--snapshot", FIRST, "--snapshot", SECOND)
        assert code == -signal.SIGKILL
        assert loads.latest_is_whole() in (None, FIRST, SECOND)
    loads.load()
    loads.check(FIRST, SECOND, latest=SECOND)
    assert not any(one.startswith(("loading_", "load_lock")) for one in loads.relations())


def test_a_server_that_ends_in_the_middle_is_named_and_the_next_load_mends_it(
    loads: Loads,
) -> None:
    loads.load("--snapshot", FIRST)
    for at in (30, 85):
        loads.server.wish(at=at)
        said = loads.load("--snapshot", FIRST, code=7).said
        assert "cannot be reached" in said
        loads.server.end()
        loads.server.start()
        assert loads.latest_is_whole() in (None, FIRST)
    loads.load()
    loads.check(FIRST, SECOND, latest=SECOND)


def test_two_loaders_do_not_meet_and_no_row_is_doubled(loads: Loads) -> None:
    both = [
        loads.exporter.start_command(*loads.arguments("--snapshot", FIRST, "--snapshot", SECOND))
        for _ in range(2)
    ]
    runs = [one.wait() for one in both]
    assert {run.code for run in runs} in ({0}, {0, 11})
    loads.check(FIRST, SECOND, latest=SECOND)


@pytest.mark.parametrize(
    ("holder", "code"),
    [
        ({"host": "another", "until": 2**40}, 11),
        ({"host": "another", "until": 1}, 0),
        ({"host": "", "until": 2**40, "pid": 2**22 + 1}, 0),
        ({"host": "", "until": 2**40, "pid": 1}, 11),
    ],
    ids=["of another machine", "run out", "of a process that is gone", "of one that is there"],
)
def test_a_lock_holds_while_its_holder_may_be_alive(
    loads: Loads, holder: dict[str, Any], code: int
) -> None:
    name = holder["host"] or socket.gethostname()
    told = {"token": "t", "pid": 1, "place": _place(), "started_at": "then", **holder}
    comment = json.dumps(told | {"host": name})
    loads.server.run(f"CREATE DATABASE {loads.schema}")
    loads.server.run(
        f"CREATE TABLE {loads.schema}.load_lock (x UInt8) ENGINE = Memory COMMENT '{comment}'"
    )
    run = loads.load("--snapshot", FIRST, "--table", "clouds", code=code)
    if code:
        assert f"process {told['pid']} on {name}, since then" in run.said
        assert loads.relations() == {"load_lock"}
    else:
        assert loads.relations() == {"clouds", "latest_clouds", "snapshots"}


def test_a_prune_removes_what_the_output_no_longer_has(loads: Loads, tmp_path: Path) -> None:
    loads.load()
    copy = tmp_path / "copy"
    shutil.copytree(loads.output, copy)
    (copy / "manifests" / f"{FIRST}.json").unlink()
    loads.output = copy
    loads.load("--prune")
    loads.check(SECOND, latest=SECOND)
    assert loads.statuses() == {SECOND: "complete"}


def test_a_table_that_is_not_ours_is_refused_before_anything_is_written(loads: Loads) -> None:
    loads.server.run(f"CREATE DATABASE {loads.schema}")
    loads.server.run(f"CREATE TABLE {loads.schema}.tags (x UInt8) ENGINE = Memory")
    said = loads.load(code=7).said
    assert f"has a table {loads.schema}.tags that no load has made" in said
    assert "--schema" in said
    assert loads.relations() == {"tags"}


ANSWERS = {
    "no right": (
        "CREATE TABLE",
        (
            "Code: 497. DB::Exception: x: Not enough privileges. To execute this query, it's "
            "necessary to have the grant CREATE TABLE ON a.b. (ACCESS_DENIED) (version 26.9.2.1)"
        ),
        (
            "because the user lacks a right (x: Not enough privileges. To execute this query, it's "
            "necessary to have the grant CREATE TABLE ON a.b. (ACCESS_DENIED)): grant it"
        ),
    ),
    "a full disk": (
        "^INSERT",
        "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
        "because the server's disk is full: free some space and run again.",
    ),
    "an old version": (
        r"^SELECT version\(\)",
        "18.16.1\tUTC\n",
        "is ClickHouse 18.16.1, and a load needs 24.8 or newer",
    ),
    "rows that are missing": (
        r"^SELECT count\(\) FROM .*loading_clouds",
        "Code: 1. DB::Exception: odd",
        "cannot be read (odd): the server's log tells more.",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_fails_is_said_in_a_sentence(loads: Loads, case: str) -> None:
    match, answer, said = ANSWERS[case]
    loads.server.wish(match=match, answer=answer)
    run = loads.load(code=7)
    assert said in run.said
    loads.server.wish_file.unlink()
    assert loads.relations() == set() or loads.statuses() == {}


def test_a_wrong_password_and_a_server_that_is_not_there_are_told_apart(loads: Loads) -> None:
    loads.exporter.environment["CLICKHOUSE_PASSWORD"] = "wrong-9c1"
    run = loads.load(code=7)
    assert "refuses this user or password" in run.said
    assert "wrong-9c1" not in run.stderr
    arguments = loads.arguments()
    arguments[2] = "clickhouse://x:wrong-9c1@127.0.0.1:1/default"
    run = loads.exporter.command(*arguments)
    assert (run.code, run.said.count("\n")) == (7, 0)
    assert "clickhouse://x@127.0.0.1:1/default cannot be reached (Connection refused)" in run.said
    assert "wrong-9c1" not in run.stderr
