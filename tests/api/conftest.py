"""What the tests of the client share: a scripted server, and an environment without secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from exporter.sources.cloud.credentials.choose import EITHER_VARIABLE, IAM_VARIABLES, OAUTH_VARIABLE
from tests.api.scripted import Scripted, Waits, serve


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with serve() as scripted:
        yield scripted


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture(autouse=True)
def _no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*IAM_VARIABLES, EITHER_VARIABLE, OAUTH_VARIABLE):
        monkeypatch.delenv(name, raising=False)
