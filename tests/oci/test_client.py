"""The client of registries: one limiter for each kind of call, and answers to HEAD."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import StatusError
from exporter.http.types import Received
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.client import OciClient
from tests.oci.scripted import ScriptedRegistry
from tests.oci.test_misbehaving import settings_for


async def body_of(received: Received) -> bytes:
    return received.body


async def test_each_kind_of_call_has_a_limiter_of_its_own(tmp_path: Path) -> None:
    registry = ScriptedRegistry()
    registry.fill("a", "v1")
    async with registry.served(), OciClient(settings_for(registry.host, tmp_path)) as client:
        calls = Calls(registry.host)
        await client.get(calls.tags("a", ()), body_of)
        manifest = await client.get(calls.manifest("a", "v1"), body_of)
        head = await client.get(calls.manifest("a", "v1", head=True), body_of)
        assert [one.host for one in client.limiters] == [registry.host] * 2
        assert {one.level for one in client.limiters} == {1}
        assert (head.body, head.headers["Docker-Content-Digest"]) == (
            b"",
            manifest.headers["docker-content-digest"],
        )
        with pytest.raises(StatusError, match="404 NOT_FOUND") as caught:
            await client.get(calls.manifest("a", "none", head=True), body_of)
    # An answer to HEAD has no body that could say so.
    assert "HEAD http://" in str(caught.value)
    assert (caught.value.http_status, caught.value.calls) == (404, 1)
