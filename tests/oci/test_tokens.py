"""Tokens of a service, as services have been seen to issue and to refuse them."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter import export
from exporter.errors import DeniedError
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import read_only_snapshot

PASSWORD = "planted-password-of-alice"
USER = {"username": "alice", "password": PASSWORD}


class TokenRegistry(ScriptedRegistry):
    """A registry whose tokens are made of their scope and a number.

    `scopes` are those asked for. `refuse` says what an expired token is answered. Each token is
    good for so many `uses`.
    """

    def __init__(self, uses: int = 1000) -> None:
        super().__init__()
        self.scopes: Counter[str] = Counter()
        self.realm = "/token?kind=relative"
        self.refuse: Callable[[], web.Response] = lambda: error(401, "UNAUTHORIZED")
        self.answer: Callable[[str], dict[str, Any]] = lambda token: {"token": token}
        self.authorized = self._check
        self.other = self._issue
        self._uses = uses
        self._left: Counter[str] = Counter()
        for name in ("a/b", "c"):
            self.fill(name, "v1", "v2")

    def _check(self, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        name = request.path.removeprefix("/v2/")
        scope = "registry:catalog:*"
        for part in ("/tags/list", "/manifests/", "/blobs/"):
            if part in name:
                scope = f"repository:{name.rpartition(part)[0]}:pull"
        if scheme == "Bearer" and token.startswith(scope) and self._left[token] > 0:
            self._left[token] -= 1
            return None
        if scheme == "Bearer":
            return self.refuse()
        challenge = (
            'Negotiate, Basic realm="basic, realm", '
            f'bearer Realm="{self.realm}",service="tests",scope="repository:user/image:pull"'
        )
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})

    def _issue(self, request: web.Request) -> web.Response:
        pair = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
        assert request.headers["Authorization"] == f"Basic {pair}"
        assert request.query["service"] == "tests"
        assert request.query["kind"] == "relative"
        scope = request.query["scope"]
        self.scopes[scope] += 1
        token = f"{scope}#{self.scopes[scope]}"
        self._left[token] = self._uses
        return web.json_response(self.answer(token))


SCOPES = {"registry:catalog:*", "repository:a/b:pull", "repository:c:pull"}


@pytest.mark.parametrize("key", ["token", "access_token"])
async def test_each_scope_is_made_up_and_had_once(key: str, tmp_path: Path) -> None:
    registry = TokenRegistry()
    registry.answer = lambda token: {key: token, "expires_in": 1}
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path, USER))
    assert manifest.status == "complete"
    assert registry.scopes == Counter(SCOPES)


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: error(401, "UNAUTHORIZED", "invalid_token"),
        lambda: web.Response(status=401),
        lambda: error(400, "DENIED", "Your Authorization Token is invalid."),
    ],
)
async def test_an_expired_token_is_renewed_whatever_its_refusal(
    refuse: Callable[[], web.Response], tmp_path: Path
) -> None:
    registry = TokenRegistry(uses=2)
    registry.refuse = refuse
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path, USER))
    assert manifest.status == "complete"
    # One call lists the tags, two read the manifests, and two the configs.
    assert registry.scopes["repository:c:pull"] == 3


async def test_a_token_that_is_never_accepted_denies_its_repository(tmp_path: Path) -> None:
    registry = TokenRegistry()
    check = registry.authorized

    def refuse(request: web.Request) -> web.Response | None:
        insufficient = (
            'Bearer realm="/token?kind=relative",service="tests",error="insufficient_scope"'
        )
        if request.path.startswith("/v2/c/") and "Authorization" in request.headers:
            return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": insufficient})
        return check(request)

    registry.authorized = refuse
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path, USER))
    assert manifest.status == "partial"
    assert registry.scopes["repository:c:pull"] == 2
    statuses = read_only_snapshot(tmp_path / "out", ("parquet",)).statuses()
    assert statuses["tags", f"{registry.host}/c"] == "denied"
    assert statuses["manifests", f"{registry.host}/a/b"] == "complete"


async def test_a_password_that_a_registry_quotes_is_shown_nowhere(tmp_path: Path) -> None:
    registry = ScriptedRegistry()
    registry.fill("a", "v1")
    short = {"username": "alice", "password": "hush7"}

    def quoting(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        pair = base64.b64decode(given.partition(" ")[2]).decode()
        challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
        return error(401, "UNAUTHORIZED", f"no {given} of {pair} here", **challenge)

    registry.authorized = quoting
    async with registry.served():
        with pytest.raises(DeniedError, match="UNAUTHORIZED: no Basic") as caught:
            await export(settings_for(registry.host, tmp_path, short))
    assert "hush7" not in str(caught.value)
    assert "of alice:… here" in str(caught.value)


@pytest.mark.parametrize("realm", ["http://169.254.169.254/token", "ftp://elsewhere.example/token"])
async def test_a_realm_that_secrets_must_not_go_to_is_refused(realm: str, tmp_path: Path) -> None:
    registry = TokenRegistry()
    registry.realm = realm
    async with registry.served():
        with pytest.raises(DeniedError, match="the registry names a token service") as caught:
            await export(settings_for(registry.host, tmp_path, USER))
    assert registry.scopes == Counter()
    assert PASSWORD not in str(caught.value)
