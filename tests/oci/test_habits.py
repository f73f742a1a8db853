"""Habits of single registries, each as it was seen, in exports of a few repositories."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter import export
from exporter.http.reply import Reply
from exporter.http.transport import Transport
from exporter.http.types import Received
from exporter.settings.model import Limits
from exporter.sources.oci.calls import MANIFEST_TYPES, MOST_MANIFEST_BYTES, Calls
from exporter.sources.oci.client import OciClient
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oci.test_tokens import TokenRegistry
from tests.oracle.snapshots import Snapshot, read_only_snapshot


class Habits(ScriptedRegistry):
    """A registry that watches what each call for a manifest accepts."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: Counter[frozenset[str]] = Counter()
        self.authorized = self._watch

    def _watch(self, request: web.Request) -> web.Response | None:
        if "/manifests/" in request.path:
            types = request.headers.get("Accept", "").split(",")
            self.accepted[frozenset(map(str.strip, types))] += 1
        return web.json_response(True) if request.path == "/v2/" else None


def read(folder: Path) -> Snapshot:
    return read_only_snapshot(folder / "out", ("parquet",))


async def test_a_first_answer_need_not_be_an_object_and_every_type_is_accepted(
    tmp_path: Path,
) -> None:
    registry = Habits()
    registry.fill("a", "v1")
    async with registry.served():
        first = await export(settings_for(registry.host, tmp_path))
        again = await export(settings_for(registry.host, tmp_path), snapshot_id="again")
    assert (first.status, again.status) == ("complete", "complete")
    methods = {path.split()[0] for path in registry.asked if "/manifests/" in path}
    assert methods == {"GET", "HEAD"}
    assert set(registry.accepted) == {frozenset(MANIFEST_TYPES)}


@pytest.mark.parametrize(
    ("status", "code"),
    [(405, "UNSUPPORTED"), (413, "TOO_MANY_TAGS_REQUESTED"), (422, "UNPROCESSABLE")],
)
async def test_where_every_page_size_is_refused_none_is_asked_for(
    status: int, code: str, tmp_path: Path
) -> None:
    registry = Habits()

    def sizes(request: web.Request, part: str, _: str) -> web.Response | None:
        return error(status, code) if part == "tags/list" and "n" in request.query else None

    for name in ("a", "b"):
        registry.fill(name, "v1", "v2", way=sizes)
    limits = Limits(attempts=1, concurrency=1)
    async with registry.served():
        settings = settings_for(registry.host, tmp_path).model_copy(update={"limits": limits})
        manifest = await export(settings)
    assert (manifest.status, manifest.totals["tag_count"]) == ("complete", 4)
    sized = [path for path in registry.asked if "n=" in path and "tags/list" in path]
    assert len(sized) == 2, "each size once for the registry"


async def test_a_429_to_a_head_is_waited_for_and_a_head_without_a_digest_leads_to_a_get(
    tmp_path: Path,
) -> None:
    registry = Habits()
    refused: list[str] = []

    def way(request: web.Request, part: str, reference: str) -> web.Response | None:
        if request.method != "HEAD" or part != "manifests":
            return None
        if reference == "busy" and not refused:
            refused.append(reference)
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.Response(status=200) if reference == "silent" else None

    registry.fill("a", "busy", "silent", way=way)
    async with registry.served():
        await export(settings_for(registry.host, tmp_path), snapshot_id="first")
        registry.asked.clear()
        again = await export(settings_for(registry.host, tmp_path), snapshot_id="again")
    assert (again.status, again.totals["tag_count"]) == ("complete", 2)
    assert again.requests.throttled == 1
    asked = {path: count for path, count in registry.asked.items() if "/manifests/" in path}
    assert asked == {
        "HEAD /v2/a/manifests/busy": 2,
        "HEAD /v2/a/manifests/silent": 1,
        "GET /v2/a/manifests/silent": 1,
    }


async def test_a_manifest_that_is_too_large_costs_itself_alone(tmp_path: Path) -> None:
    registry = Habits()
    registry.fill("a", "v1", "huge")
    huge = json.dumps({"schemaVersion": 2, "layers": [], "x": "y" * MOST_MANIFEST_BYTES}).encode()
    registry.tags["a"]["huge"] = registry.blobs.add(huge)
    async with registry.served():
        limits = Limits(attempts=1)
        settings = settings_for(registry.host, tmp_path).model_copy(update={"limits": limits})
        manifest = await export(settings)
    assert manifest.status == "partial"
    snapshot = read(tmp_path)
    assert [row["tag"] for row in snapshot.tables["tags"]] == ["v1"]
    (row,) = [row for row in snapshot.tables["coverage"] if row["listing"] == "manifests"]
    assert "the answer is larger than 8388608 bytes" in row["message"]


async def test_a_catalog_may_take_longer_than_other_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Habits()
    registry.fill("a", "v1")
    timeouts: dict[str, float] = {}
    send = Transport.send

    async def noting(self: Transport, url: str, **given: Any) -> Reply:
        timeouts[url.partition("/v2/")[2]] = given["timeout"]
        return await send(self, url, **given)

    async def ignore(_: Received) -> None:
        return None

    monkeypatch.setattr(Transport, "send", noting)
    limits = Limits(request_timeout=timedelta(seconds=20))
    async with registry.served():
        settings = settings_for(registry.host, tmp_path).model_copy(update={"limits": limits})
        async with OciClient(settings) as client:
            calls = Calls(registry.host)
            await client.get(calls.catalog(()), ignore)
            await client.get(calls.tags("a", ()), ignore)
    assert (timeouts["_catalog"], timeouts["a/tags/list"]) == (300, 20)


async def test_a_token_service_that_refuses_one_repository_denies_that_alone(
    tmp_path: Path,
) -> None:
    registry = TokenRegistry()
    issue = registry.other

    def choosy(request: web.Request) -> web.Response:
        if request.query.get("scope") == "repository:c:pull":
            return error(403, "DENIED", "requested access to the resource is denied")
        assert issue is not None
        return issue(request)

    registry.other = choosy
    user = {"username": "alice", "password": "planted-password-of-alice"}
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path, user))
    assert manifest.status == "partial"
    statuses = read(tmp_path).statuses()
    assert statuses["tags", f"{registry.host}/c"] == "denied"
    assert statuses["manifests", f"{registry.host}/a/b"] == "complete"


@pytest.mark.parametrize("knows_post", [True, False])
async def test_an_identity_token_goes_to_the_refresh_grant_and_on_404_to_basic(
    knows_post: bool, tmp_path: Path
) -> None:
    registry = ScriptedRegistry()
    registry.fill("a", "v1")
    asked: list[str] = []

    def check(request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == "Bearer good":
            return None
        realm = f'Bearer realm="http://{registry.host}/token",service="tests"'
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": realm})

    def issue(request: web.Request) -> web.Response:
        asked.append(request.method)
        if request.method == "POST" and not knows_post:
            return web.Response(status=404)
        return web.json_response({"access_token": "good"})

    registry.authorized, registry.other = check, issue
    user = {"username": "<token>", "password": "planted-identity-token-0123456789"}
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path, user))
    assert manifest.status == "complete"
    assert set(asked) == ({"POST"} if knows_post else {"POST", "GET"})


async def test_two_sizes_of_one_config_are_a_conflict(tmp_path: Path) -> None:
    """What descriptors state is compared, of configs as of layers."""
    registry = Habits()
    registry.fill("a", "v1")
    manifest = json.loads(registry.blobs.content[registry.tags["a"]["v1"]])
    manifest["config"]["size"] += 1
    registry.tags["a"]["v2"] = registry.blobs.add(json.dumps(manifest).encode())
    async with registry.served():
        await export(settings_for(registry.host, tmp_path))
    (found,) = read(tmp_path).tables["findings"]
    assert (found["kind"], found["subject"]) == ("size_conflict", manifest["config"]["digest"])
