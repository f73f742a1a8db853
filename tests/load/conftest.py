"""Fixtures of servers that tests load into: started once, each test with a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.load.postgres import Server, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server that all tests of this process share."""
    with running_server() as server:
        yield server
