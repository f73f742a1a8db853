"""Warehouses that tests load into: servers are started once, and each test has its own schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.kinds import KINDS, Kind, PostgreSqlKind
from tests.load.postgres import Server, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server that all tests of this process share."""
    with running_server() as server:
        yield server


@pytest.fixture(params=[*KINDS, "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """Return an empty warehouse of each kind."""
    if request.param == "postgresql":
        database = PostgreSqlKind(request.getfixturevalue("postgres"))
        yield database
        database.close()
        return
    folder = tmp_path / "warehouse"
    folder.mkdir()
    yield KINDS[request.param](folder)
