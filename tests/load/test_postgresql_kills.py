"""Loads into PostgreSQL that are killed, that meet, or whose server goes: all of it or nothing."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.e2e.commands import Exporter, Process
from tests.e2e.waiting import until
from tests.load.postgres import Server
from tests.load.published import hostile_rows, publish_rows
from tests.load.warehouses import Target

KILLS = 20
SOME = ("images", "layers", "tags")
"""The tables that are loaded: more of them are more of the same statements."""


class Versions:
    """Two snapshots under one id, in two outputs: the warehouse must have one of them, whole."""

    def __init__(self, server: Server, schema: str, folder: Path, rows: int = 20) -> None:
        self.targets = []
        for number, mark in enumerate("ab"):
            output = folder / mark
            publish_rows(output, "n1", hostile_rows(rows + number, mark), night=number)
            self.targets.append(Target(server, schema, output))

    def which(self) -> int:
        """Return which of the two the warehouse has, in all tables."""
        found = [number for number, one in enumerate(self.targets) if one.has("n1", SOME)]
        assert len(found) == 1, found
        # No table of an unfinished load is left, and the views show what is there.
        target = self.targets[found[0]]
        assert len(target.partitions()) == len(SOME)
        assert len(target.rows("latest_layers")) == len(target.rows("layers"))
        return found[0]


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """The command in an empty home."""
    return Exporter(tmp_path)


@pytest.fixture
def versions(postgres: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Versions:
    """The first of the two is there, in a schema of the test's own."""
    both = Versions(postgres, request.node.name.removeprefix("test_")[:40], tmp_path)
    both.targets[0].load("n1", tables=[*SOME])
    return both


def statements(server: Server) -> int:
    """Return how many statements loads have sent to the server so far."""
    return server.log.read_bytes().count(b"registry-exporter|LOG:  ")


def flags(target: Target, *more: str) -> list[str]:
    """Return the command line of a load."""
    return [*target.flags(*more), *(word for table in SOME for word in ("--table", table))]


def begin(command: Exporter, target: Target, *, until_statement: int) -> Process:
    """Begin to load n1, and return once its process has sent so many statements, or has ended."""
    before = statements(target.server)
    process = command.start_command(*flags(target, "--snapshot", "n1"))
    until(
        lambda: (
            statements(target.server) - before >= until_statement
            or process.has_logged("load_finished")
        ),
        "the load gets so far",
    )
    return process


def test_a_load_killed_at_any_statement_leaves_what_was_there_or_all_of_it(
    versions: Versions, exporter: Exporter
) -> None:
    server = versions.targets[0].server
    before = statements(server)
    assert exporter.command(*flags(versions.targets[1])).code == 0
    in_all = statements(server) - before
    draws, there = random.Random(4), 1
    for moment in sorted(draws.sample(range(1, in_all + 1), KILLS)):
        target = versions.targets[1 - there]
        process = begin(exporter, target, until_statement=moment)
        process.signal(signal.SIGKILL)
        process.wait()
        with server.connect() as connection:
            until(lambda: not _is_loading(connection), "the killed load's session ends")
        versions.which()
        target.load("n1", tables=[*SOME])
        there = versions.which()
        assert versions.targets[there] is target


def _is_loading(connection: psycopg.Connection[tuple[int]]) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'registry-exporter'"
    found = connection.execute(query).fetchone()
    return bool(found and found[0])


@contextmanager
def held(versions: Versions, exporter: Exporter) -> Iterator[Process]:
    """Load the second version, and keep it from its commit by a reader until the block ends."""
    target = versions.targets[0]
    with closing(target.server.connect()) as reader:
        reader.execute("BEGIN")
        reader.execute(f"SELECT FROM {target.schema}.images")
        process = exporter.start_command(*flags(versions.targets[1]))
        until(lambda: _waits(target), "the load wants a reader's table")
        yield process


def test_of_two_loaders_one_waits_or_gives_up(versions: Versions, exporter: Exporter) -> None:
    with held(versions, exporter) as first:
        second = exporter.command(*flags(versions.targets[1]))
        assert second.code == 11
        assert "Another load holds the schema" in second.said
        assert "(process " in second.said
    assert first.wait().code == 0
    assert versions.which() == 1
    both = [exporter.start_command(*flags(one, "--snapshot", "n1")) for one in versions.targets]
    assert {one.wait().code for one in both} <= {0, 11}
    versions.which()


def test_a_server_that_stops_in_the_middle_keeps_what_was_there(
    versions: Versions, exporter: Exporter
) -> None:
    server = versions.targets[0].server
    with held(versions, exporter) as process:
        server.stop("immediate")
        run = process.wait()
    assert run.code == 7
    assert "ended the connection while the load was to" in run.said
    assert "nothing of it is there" in run.said
    down = exporter.command(*flags(versions.targets[1]))
    assert down.code == 7
    assert "does not answer" in down.said
    assert "check that the server runs" in down.said
    server.start()
    assert versions.which() == 0
    assert exporter.command(*flags(versions.targets[1])).code == 0
    assert versions.which() == 1


def test_a_signal_ends_a_load_at_once_with_its_code(versions: Versions, exporter: Exporter) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        # The load waits, in the middle of a statement or between two.
        with held(versions, exporter) as process:
            process.signal(number)
            run = process.wait()
        assert run.code == code, run.stderr
        assert f"Stopped by {number.name}." in run.said
    assert versions.which() == 0


def _waits(target: Target) -> bool:
    ((waiting,),) = target.ask("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(waiting)


def test_readers_are_not_blocked_while_loads_replace_what_they_read(versions: Versions) -> None:
    target = versions.targets[0]
    stopped, failures, answers = threading.Event(), [], set()

    def read() -> None:
        with target.server.connect() as connection:
            connection.execute("SET lock_timeout = '2s'")
            while not stopped.is_set():
                try:
                    answers.add(
                        connection.execute(
                            "SELECT count(*), count(i.image_id) "
                            f"FROM {target.schema}.latest_layers l "
                            f"LEFT JOIN {target.schema}.latest_images i USING (image_id)"
                        ).fetchone()
                    )
                except psycopg.Error as error:
                    failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    with target.server.connect() as slow:
        # A reader that holds the tables longer than a load may make the others wait.
        slow.execute("BEGIN")
        slow.execute(f"SELECT FROM {target.schema}.latest_images")
        finish = threading.Timer(3, slow.execute, ("COMMIT",))
        finish.start()
        for _ in range(2):
            for version in versions.targets:
                version.load("n1", tables=[*SOME])
        finish.join()
    stopped.set()
    for one in readers:
        one.join()
    assert not failures
    # Each answer is of one snapshot, in both tables.
    assert answers <= {(20, 20), (21, 21)}
    assert len(answers) == 2
