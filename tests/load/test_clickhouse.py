"""Loads into ClickHouse that are killed, that meet, or that fail; `test_promises` has the rows.

The server is chdb, ClickHouse's engine in a process, behind HTTP (`clickhouse_server`): the command
under test reaches it through clickhouse-connect as it reaches any server.
"""

from __future__ import annotations

import json
import random
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.load.clickhouse.lease import _place
from tests.ddl.nights import FIRST, SECOND, ordered, publish_nights, rows_of
from tests.derive.estates import Row
from tests.e2e.commands import Exporter, Run
from tests.load.clickhouse import PASSWORD, Server, clickhouse

KILLS = 20
SOME = ("clouds", "images", "tags")
"""The tables that are loaded: more of them are more of the same statements."""


@pytest.fixture(scope="module")
def server() -> Server:
    return clickhouse()


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
        to = ["--to", self.server.url()]
        place = ["--output", str(self.output), "--schema", self.schema]
        tables = [] if "--table" in more else [word for one in SOME for word in ("--table", one)]
        return ["load", *to, *place, "--log-format", "json", *tables, *more]

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
        """Compare each table, row for row and type for type, with what was published."""
        for table in SOME:
            wanted = {one: true_rows(self.output, table, one) for one in snapshots}
            found = self.rows(table)
            assert ordered(found) == ordered([row for one in wanted.values() for row in one])
            assert ordered(self.rows(f"latest_{table}")) == ordered(wanted[latest]), table

    def latest_is_whole(self) -> str | None:
        """Return which snapshot all the views show, having checked that it is all of them."""
        done = {name for name, status in self.statuses().items() if status == "complete"}
        newest = max(done, default=None)
        for table in SOME:
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


def test_a_load_killed_at_any_statement_never_shows_a_mixture_and_is_mended(loads: Loads) -> None:
    loads.load("--snapshot", FIRST)
    draw = random.Random(16)
    # To load both again takes 50 statements at least.
    for at in [draw.randrange(1, 51) for _ in range(KILLS)]:
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
    for at in (12, 27):  # Of 33, the second within the commit.
        loads.server.wish(at=at)
        said = loads.load("--snapshot", FIRST, code=7).said
        assert "cannot be reached" in said
        loads.server.end()
        loads.server.start()
        assert loads.latest_is_whole() in (None, FIRST)
    loads.load()
    loads.check(FIRST, SECOND, latest=SECOND)


def test_tables_are_sorted_by_the_key_with_the_snapshot_in_front(loads: Loads) -> None:
    loads.load("--snapshot", FIRST, "--table", "layers")
    [row] = loads.server.rows(
        "SELECT partition_key, sorting_key FROM system.tables "
        f"WHERE database = '{loads.schema}' AND name = 'layers'"
    )
    assert row == {
        "partition_key": "snapshot_id",
        "sorting_key": "snapshot_id, image_id, position",
    }


def test_times_that_an_older_server_would_show_as_others_are_refused(loads: Loads) -> None:
    # What the versions answer that hold the years 1900 to 2299 alone.
    loads.server.wish(answers={"fromUnixTimestamp64Micro": "1900-01-01 00:00:00.000000\n"})
    said = loads.load("--snapshot", FIRST, code=7).said
    assert "The column created_at of clouds has a time before 1900 or after 2299" in said
    loads.load("--snapshot", FIRST, "--table", "folders")


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


def test_a_server_that_is_too_old_for_the_library_is_refused_by_its_version(loads: Loads) -> None:
    # As Debian's ClickHouse answers: it does not know this column, and says no code in a header.
    odd = "Code: 47, e.displayText() = DB::Exception: Unknown identifier: readonly"
    loads.server.wish(answers={"system.settings": odd, r"version\(\)$": "18.16.1\n"})
    said = loads.load(code=7).said
    assert "is ClickHouse 18.16.1, and a load needs 24.8 or newer: upgrade the server" in said


@pytest.mark.parametrize("case", ANSWERS)
def test_what_fails_is_said_in_a_sentence(loads: Loads, case: str) -> None:
    match, answer, said = ANSWERS[case]
    loads.server.wish(answers={match: answer})
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
