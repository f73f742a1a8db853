"""Where services are found: named, discovered, or by convention; and how they are reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.errors import SettingsError
from exporter.http.transport import Transport
from exporter.settings import Settings
from exporter.sources.cloud.client import open_client
from exporter.sources.cloud.endpoints import Directory
from exporter.sources.cloud.status import read_status
from tests.api.scripted import (
    FOLDERS,
    IMAGES,
    TOKEN,
    Play,
    Scripted,
    Waits,
    as_json,
    ok,
    raw,
    resetting,
    serve,
    settings_for,
    status,
)

DISCOVERY = "/endpoints"


def found(**addresses: str) -> Play:
    return ok({"endpoints": [{"id": k, "address": a} for k, a in addresses.items()]})


def at(server: Scripted, **sections: object) -> Settings:
    given: dict[str, object] = {"domain": server.url, "credentials": {"iam_token": TOKEN}}
    return Settings.model_validate(given | sections)


async def test_services_are_discovered_once_and_without_a_token(
    server: Scripted, waits: Waits
) -> None:
    here = server.url.removeprefix("http://")
    ids = {"container-registry": here, "resource-manager": here, "compute": "c.example:443"}
    server.routes |= {DISCOVERY: found(**ids), IMAGES.path: ok({}), FOLDERS.path: ok({})}
    async with open_client(at(server), sleep=waits) as client:
        await client.get(IMAGES, as_json)
        await client.get(FOLDERS, as_json)
        assert client.counts.calls == 2
    (request,) = [each for each in server.seen if each.path == DISCOVERY]
    assert "authorization" not in request.headers


async def test_a_discovered_address_elsewhere_is_reached_by_https_only(
    server: Scripted, waits: Waits
) -> None:
    ids = {
        "container-registry": "cr.api.example:443",
        "resource-manager": "rm.api.example:8443",
        "iam": "user@evil.example/path",
    }
    server.routes[DISCOVERY] = found(**ids)
    async with Transport(connections=1, ca_file=None, read_error=read_status) as transport:
        directory = Directory(at(server), transport, sleep=waits)
        assert await directory.base("container_registry") == "https://cr.api.example"
        assert await directory.base("resource_manager") == "https://rm.api.example:8443"
        assert await directory.base("iam") == server.url


@pytest.mark.parametrize(
    "answer",
    [status(404), raw(200, b"<html>"), resetting, ok({}), ok({"endpoints": [{"id": "iam"}, 1]})],
    ids=["404", "html", "reset", "no list", "no address"],
)
async def test_where_discovery_fails_the_convention_holds_with_a_warning(
    answer: Play, server: Scripted, waits: Waits
) -> None:
    server.routes |= {DISCOVERY: answer, IMAGES.path: ok({})}
    with capture_logs() as logs:
        async with open_client(at(server), sleep=waits) as client:
            await client.get(IMAGES, as_json)
    (event,) = (log for log in logs if log["event"] == "service_not_discovered")
    assert event["log_level"] == "warning"
    assert event["using"] == server.url


async def test_a_named_service_needs_no_discovery(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = ok({})
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(IMAGES, as_json)
    assert [request.path for request in server.seen] == [IMAGES.path]


@pytest.mark.parametrize(
    ("domain", "audience"),
    [
        (None, "https://iam.api.il.nebius.cloud/iam/v1/tokens"),
        ("api.cloud.yandex.net", "https://iam.api.cloud.yandex.net/iam/v1/tokens"),
        ("https://api.example", "https://iam.api.example/iam/v1/tokens"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/iam/v1/tokens"),
    ],
)
async def test_the_audience_of_a_jwt_follows_from_the_domain(
    domain: str | None, audience: str, waits: Waits
) -> None:
    transport = Transport(connections=1, ca_file=None, read_error=read_status)
    directory = Directory(Settings(domain=domain), transport, sleep=waits)
    assert directory.token_audience == audience


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
async def test_a_token_in_the_clear_is_sent_to_no_proxy(
    name: str, server: Scripted, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve({IMAGES.path: ok({})}) as proxy:
        monkeypatch.setenv(name, proxy.url)
        server.routes[IMAGES.path] = ok({})
        async with open_client(settings_for(server), sleep=waits) as client:
            await client.get(IMAGES, as_json)
    assert len(server.asked()) == 1
    assert proxy.seen == []


async def test_a_netrc_file_is_nothing_to_us(
    server: Scripted, waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.routes[IMAGES.path] = ok({})
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(IMAGES, as_json)
    assert server.asked()[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_a_ca_file_that_cannot_be_used_is_named(
    content: bytes | None, server: Scripted, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"network\.ca_file .*ca\.pem cannot be used"):
        async with open_client(settings_for(server, network={"ca_file": path})):
            pass
