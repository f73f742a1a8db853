"""TLS is always verified: by the system's authorities, or by the ones a setting names."""

from __future__ import annotations

import asyncio
import codecs
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.errors import UnreachableError
from exporter.sources.cloud.client import open_client
from tests.api.certificates import make_certificate
from tests.api.scripted import IMAGES, TOKEN, Scripted, Waits, as_json, ok, serve, settings_for


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "certificate.pem").path


@pytest.fixture
async def secure_server(certificate: Path) -> AsyncIterator[Scripted]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with serve({IMAGES.path: ok({})}, tls=context) as scripted:
        yield scripted


async def test_a_private_authority_is_trusted_where_the_setting_names_it(
    secure_server: Scripted, certificate: Path, waits: Waits
) -> None:
    settings = settings_for(secure_server, network={"ca_file": certificate})
    async with open_client(settings, sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == {}


def put_mark(certificate: Path, path: Path) -> Path:
    comment = "# an authority’s\n".encode()
    path.write_bytes(codecs.BOM_UTF8 + comment + certificate.read_bytes())
    return path


async def test_a_byte_order_mark_before_an_authority_is_let_pass(
    secure_server: Scripted, certificate: Path, waits: Waits, tmp_path: Path
) -> None:
    marked = put_mark(certificate, tmp_path / "marked.pem")
    settings = settings_for(secure_server, network={"ca_file": marked})
    async with open_client(settings, sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == {}


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def tunnelling() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that connects to wherever it is asked; yields its address and what it was asked."""
    asked: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        host, port = head.split()[1].decode().split(":")
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(relay(reader, there[1]), relay(there[0], writer))

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_a_proxy_of_the_environment_only_sees_what_is_encrypted(
    scheme: str,
    secure_server: Scripted,
    certificate: Path,
    waits: Waits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_for(secure_server, network={"ca_file": certificate})
    async with tunnelling() as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", scheme + address)
        async with open_client(settings, sleep=waits) as client:
            await client.get(IMAGES, as_json)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            await client.get(IMAGES, as_json)
    (head,) = asked
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert TOKEN.encode() not in head
    assert len(secure_server.asked()) == 2


async def test_an_unknown_authority_is_refused_at_once_and_no_token_sent(
    secure_server: Scripted, waits: Waits
) -> None:
    async with open_client(settings_for(secure_server), sleep=waits) as client:
        with pytest.raises(UnreachableError, match=r"not trusted.*network\.ca_file"):
            await client.get(IMAGES, as_json)
    assert not secure_server.seen
    assert not waits.seconds
