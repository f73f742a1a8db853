"""Advice about a call that failed names the settings of registries."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from exporter import export
from exporter.errors import DeniedError, ExporterError
from exporter.http.types import Call, Received
from exporter.settings import Limits
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.client import OciClient
from tests.certificates import self_signed
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for


async def body_of(received: Received) -> bytes:
    return received.body


async def refusal(settings_host: str, folder: Path, call: Call, **registry: object) -> str:
    """Return what the failure of a call says."""
    limits = Limits(attempts=1, outage=timedelta(0))
    settings = settings_for(settings_host, folder, registry).model_copy(update={"limits": limits})
    async with OciClient(settings) as client:
        with pytest.raises(ExporterError) as caught:
            await client.get(call, body_of)
    return str(caught.value)


@asynccontextmanager
async def speaking_tls(folder: Path) -> AsyncIterator[str]:
    """Serve any request over TLS, with a certificate of nobody known; give the host."""
    certificate = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_private_authority_is_named_beside_its_registry(tmp_path: Path) -> None:
    async with speaking_tls(tmp_path) as host:
        (tmp_path / "other").mkdir()
        other = self_signed(tmp_path / "other")
        said = await refusal(host, tmp_path, Calls(host).tags("a", ()), ca_file=other)
    assert "as that registry's ca_file in oci.registries" in said


async def test_an_address_that_leads_elsewhere_is_corrected_in_the_registries(
    tmp_path: Path,
) -> None:
    registry = ScriptedRegistry()
    elsewhere = {"Location": "https://other.example/v2/"}
    registry.catalog = lambda _: web.Response(status=301, headers=elsewhere)
    registry.fill("big", "v1", way=lambda *_: error(413, "SIZE_INVALID", "body too large"))
    async with registry.served():
        moved = await refusal(registry.host, tmp_path, Calls(registry.host).catalog(()))
        calls = Calls(registry.host)
        large = await refusal(registry.host, tmp_path, calls.manifest("big", "v1"))
    assert "and its base path if it has one, in oci.registries" in moved
    # A manifest has no pages, and no setting bounds it.
    assert "page" not in large
    assert "endpoints" not in moved + large


async def test_a_401_says_how_to_log_in_to_that_registry(tmp_path: Path) -> None:
    registry = ScriptedRegistry()
    registry.catalog = lambda _: error(401, "UNAUTHORIZED")
    async with registry.served():
        with pytest.raises(DeniedError) as caught:
            await export(settings_for(registry.host, tmp_path))
    assert f"log in with `docker login {registry.host}`" in str(caught.value)
    assert "role" not in str(caught.value)
