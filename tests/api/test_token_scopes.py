"""An API with a token for each repository: a call is sent with the token of its own scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from pydantic import SecretStr

from exporter.errors import CredentialsError, StatusError
from exporter.http.auth import Authenticator
from exporter.http.client import Client
from exporter.http.outage import Outages
from exporter.http.types import Call
from exporter.settings import Limits
from exporter.sources.cloud.status import read_status
from tests.api.scripted import Scripted, Waits, as_json, ok, status

DENIED = status(401, {"code": 16, "message": "unauthenticated"})


def tags(repository: str) -> Call:
    path = f"/v2/{repository}/tags/list"
    return Call("registry", path, (), f"tags of {repository}", token_scope=repository)


@dataclass
class TokensByScope:
    """The API and its token service: the tokens of a scope are numbered."""

    url: str
    numbers: Counter[str] = field(default_factory=Counter)
    source_name = "the token service"

    def authenticator(self, outages: Outages) -> Authenticator:
        return self

    async def base(self, service: str) -> str:
        return self.url

    async def get(self, scope: str | None = None) -> SecretStr:
        return SecretStr(f"{scope}.{self.numbers[str(scope)]}")

    async def renew(
        self, refused: SecretStr, scope: str | None = None, challenges: Sequence[str] = ()
    ) -> SecretStr:
        if scope == "closed":
            raise CredentialsError("no token for this repository")
        self.numbers[str(scope)] += 1
        return await self.get(scope)

    async def close(self) -> None:
        """Nothing is under way."""


def client_of(server: Scripted, waits: Waits) -> Client:
    return Client(
        lambda _transport, _sleep: TokensByScope(server.url),
        Limits(attempts=1),
        read_error=read_status,
        sleep=waits,
    )


def sent(server: Scripted, call: Call) -> list[str]:
    return [request.headers["authorization"].split()[1] for request in server.asked(call)]


async def test_each_scope_has_its_own_token_and_renewal(server: Scripted, waits: Waits) -> None:
    app, lib = tags("app"), tags("lib")
    server.routes |= {app.path: [ok({}), DENIED, ok({})], lib.path: ok({})}
    async with client_of(server, waits) as client:
        for call in (app, lib, app, lib):
            await client.get(call, as_json)
    assert sent(server, app) == ["app.0", "app.0", "app.1"]
    assert sent(server, lib) == ["lib.0", "lib.0"]


@pytest.mark.parametrize("repository", ["refused", "closed"])
async def test_a_refusal_is_about_one_scope_alone(
    repository: str, server: Scripted, waits: Waits
) -> None:
    app, other = tags("app"), tags(repository)
    server.routes |= {app.path: [ok({}), DENIED, ok({})], other.path: DENIED}
    async with client_of(server, waits) as client:
        for _ in range(2):
            with pytest.raises(StatusError, match="401 UNAUTHENTICATED"):
                await client.get(other, as_json)
        await client.get(app, as_json)
        await client.get(app, as_json)
    assert sent(server, app) == ["app.0", "app.0", "app.1"]


async def test_a_call_without_a_scope_is_proven_by_its_like(server: Scripted, waits: Waits) -> None:
    app, catalog = tags("app"), replace(tags("all"), path="/v2/_catalog", token_scope=None)
    server.routes |= {app.path: ok({}), catalog.path: DENIED}
    async with client_of(server, waits) as client:
        await client.get(app, as_json)
        with pytest.raises(CredentialsError, match="the credentials from the token service"):
            await client.get(catalog, as_json)
    assert sent(server, app) == ["app.0"]
