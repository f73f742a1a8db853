"""Why no answer came: TLS, names and proxies, each in one sentence that says what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.errors import ApiError, ExporterError
from exporter.http.proxies import bypasses
from exporter.sources.cloud.client import open_client
from tests.api.certificates import HOUR, Certificate, make_certificate
from tests.api.scripted import (
    IMAGES,
    TOKEN,
    Play,
    Scripted,
    Waits,
    as_json,
    ok,
    raw,
    serve,
    settings_for,
)

FEW = {"attempts": 2}


async def reason(url: str, ca_file: Path | None = None, waits: Waits | None = None) -> str:
    """Return what is said when a call to a server cannot be answered."""
    waits = waits or Waits()
    settings = settings_for(Scripted(url), limits=FEW, network={"ca_file": ca_file})
    async with open_client(settings, sleep=waits) as client:
        with pytest.raises(ExporterError) as caught:
            await client.get(IMAGES, as_json)
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value.message if isinstance(caught.value, ApiError) else str(caught.value)


Made = Callable[..., Certificate]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(name: str, **given: object) -> Certificate:
        return make_certificate(tmp_path / f"{name}.pem", **given)  # type: ignore[arg-type]

    return make


CERTIFICATES = {
    "expired": (
        {"begins": -2 * HOUR, "ends": -HOUR},
        "has expired; have the operator of the server renew it, and check this machine's clock",
    ),
    "not yet valid": (
        {"begins": HOUR, "ends": 2 * HOUR},
        "is not valid yet; check this machine's clock",
    ),
    "another host's": (
        {"host": "192.0.2.1"},
        "is another host's; check the host's address in `endpoints` or `domain`",
    ),
}


@pytest.mark.parametrize(("given", "words"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_a_certificate_that_does_not_hold_says_why_at_once(
    given: dict[str, object], words: str, made: Made
) -> None:
    certificate = made("server", **given)
    waits = Waits()
    async with serve({IMAGES.path: ok({})}, tls=certificate.serving()) as server:
        said = await reason(server.url, certificate.path, waits)
    assert said == f"the certificate of 127.0.0.1 {words}"
    assert not waits.seconds
    assert not server.seen


async def test_a_certificate_of_nobody_known_says_which_setting_names_its_authority(
    made: Made,
) -> None:
    authority = made("authority")
    issued = made("server", issuer=authority)
    advice = "; name the authority's certificates in network.ca_file if it is a private one"
    async with serve(tls=issued.serving()) as server:
        said = await reason(server.url)
        assert said.endswith(f"is signed by an authority that is not trusted{advice}")
    async with serve(tls=authority.serving()) as server:
        said = await reason(server.url)
        assert said.endswith(f"is signed by itself and so not trusted{advice}")


async def test_a_certificate_that_fails_after_others_held_may_be_of_one_machine_alone(
    made: Made,
) -> None:
    certificate, other = made("server"), made("other")
    context = certificate.serving()

    async def sleep(_: float) -> None:
        context.load_cert_chain(certificate.path)

    async with serve({IMAGES.path: ok({})}, tls=context) as server:
        settings = settings_for(server, network={"ca_file": certificate.path})
        async with open_client(settings, sleep=sleep) as client:
            await client.get(IMAGES, as_json)
            context.load_cert_chain(other.path)
            assert (await client.get(IMAGES, as_json)).calls == 2


async def test_tls_versions_that_do_not_match_are_said(made: Made) -> None:
    certificate = made("server")
    context = certificate.serving()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.deprecated_call():
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serve(tls=context) as server:  # which breaks off, without a word
        said = await reason(server.url, certificate.path)
    assert "127.0.0.1 broke the TLS handshake off; check that it speaks TLS 1.2 or 1.3" in said
    with handshaking(context) as port:  # which says why
        said = await reason(f"https://127.0.0.1:{port}", certificate.path)
    assert said == (
        "127.0.0.1 speaks none of the TLS versions that this machine allows; have TLS 1.2 or 1.3 "
        "switched on there"
    )


@contextmanager
def handshaking(context: ssl.SSLContext) -> Iterator[int]:
    """Begin TLS with the first who connects, in a thread; yields the port."""

    def greet() -> None:
        connection, _ = listening.accept()
        with connection, suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=greet)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


async def test_plain_http_behind_https_is_said() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", until=b"\x16") as address:
        said = await reason(f"https://{address}")
    assert "127.0.0.1 does not speak TLS on this port" in said
    assert said.endswith("; check the port in `endpoints`")


@asynccontextmanager
async def answering(content: bytes, until: bytes = b"\r\n\r\n") -> AsyncIterator[str]:
    """Serve these bytes to whoever connects and sends `until`; yields HOST:PORT."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(until)
        writer.write(content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


NGINX = b"<html><center>The plain HTTP request was sent to HTTPS port</center></html>"
ON_A_TLS_PORT: dict[str, Play] = {
    "nginx": raw(400, NGINX),
    "Go": raw(400, b"Client sent an HTTP request to an HTTPS server.\n"),
    "497": raw(497, b""),
}


@pytest.mark.parametrize("answer", ON_A_TLS_PORT.values(), ids=ON_A_TLS_PORT)
async def test_plain_http_on_a_port_that_speaks_tls_is_said(answer: Play, server: Scripted) -> None:
    server.routes[IMAGES.path] = answer
    assert (await reason(server.url)).endswith(
        "; that port speaks TLS, so write https:// in `endpoints`"
    )


async def test_a_tls_alert_in_answer_to_plain_http_is_said() -> None:
    async with answering(b"\x15\x03\x01\x00\x02\x02\x46") as address:
        said = await reason(f"http://{address}")
    assert "the answer is not HTTP: that port speaks TLS" in said
    assert said.endswith("; write https:// in `endpoints`")


async def test_a_name_that_does_not_resolve_is_said() -> None:
    said = await reason("https://registry.invalid")
    assert "the name of the host registry.invalid does not resolve" in said
    assert "; check `endpoints` and `domain`, and this machine's DNS" in said
    assert "refused" not in said


# Proxies.

HOST = "https://registry.example"
BAD_PROXIES = {
    "socks5://someone:secret@127.0.0.1:1080": "a proxy of socks5://, and only http://",
    "http://someone:secret@127.0.0.1:port": "is not the URL of a proxy",
    "http://": "is not the URL of a proxy",
    "http://[::1": "is not the URL of a proxy",
    "127.0.0.1:99999": "is not the URL of a proxy",
}


@pytest.mark.parametrize("proxy", BAD_PROXIES)
async def test_a_proxy_that_cannot_be_one_is_said_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    said = await reason(HOST)
    assert BAD_PROXIES[proxy] in said
    assert said.endswith("as http://HOST:PORT, or name the API's hosts in NO_PROXY")
    assert "secret" not in said


ANSWERS = {
    407: "asks for a name and a password (407); write them into HTTPS_PROXY as http://NAME:PASSWORD",
    403: "does not connect to registry.example: it answered 403; check HTTPS_PROXY",
    503: "does not connect to registry.example: it answered 503; check HTTPS_PROXY",
}


@pytest.mark.parametrize("http_status", ANSWERS)
async def test_what_a_proxy_answers_is_said(
    http_status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = f"HTTP/1.1 {http_status} No\r\nContent-Length: 0\r\n\r\n".encode()
    async with answering(head) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:secret@{address}")
        said = await reason(HOST)
    assert f"the proxy {address} {ANSWERS[http_status]}" in said
    assert "secret" not in said


async def test_a_proxy_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", address)
        said = await reason(HOST)
    assert f"the proxy {address} cannot be reached: the connection was refused; check HTTP" in said
    monkeypatch.setenv("HTTPS_PROXY", "http://someone:secret@proxy.invalid:3128")
    said = await reason(HOST)
    assert "the name of the proxy proxy.invalid:3128 does not resolve" in said
    assert "; check HTTPS_PROXY, or name the host in NO_PROXY" in said


@pytest.mark.parametrize(
    ("no_proxy", "host", "does"),
    [
        ("*", "registry.example", True),
        ("registry.example", "registry.example", True),
        ("registry.example", "REGISTRY.example.", True),
        ("example", "registry.example", True),
        (".example", "registry.example", True),
        ("*.example", "registry.example", True),
        ("gistry.example", "registry.example", False),
        ("other.example, registry.example", "registry.example", True),
        ("other.example registry.example", "registry.example", True),
        ("registry.example:443", "registry.example", True),
        ("registry.example:8443", "registry.example", False),
        ("10.0.0.0/8", "10.20.30.40", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.1.2.3/8", "10.20.30.40", True),
        ("10.0.0.0/33, nonsense/8", "10.0.0.1", False),
        ("10.0.0.0/8", "registry.example", False),
        ("10.0.0.1:443", "10.0.0.1", True),
        ("10.0.0.1:80", "10.0.0.1", False),
        ("0.0.1", "10.0.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("[fd00::]/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
        ("fd12:0::1", "fd12::1", True),
        ("[fd12::1]:443", "fd12::1", True),
        ("[fd12::1]:80", "fd12::1", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("", "registry.example", False),
        (".", "registry.example", False),
    ],
)
def test_no_proxy_is_read_as_curl_go_and_python_read_it(
    no_proxy: str, host: str, does: bool
) -> None:
    assert bypasses(no_proxy, host, 443) is does
