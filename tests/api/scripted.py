"""A server that answers what a script says, byte for byte, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from exporter.http.types import Call, Received
from exporter.settings import Settings
from exporter.sources.cloud.paging import PAGING

TOKEN = "t1.planted-token-9euelZ"
IMAGES = Call(
    "container_registry",
    "/container-registry/v1/images",
    (("registryId", "crp1"), ("pageSize", "1000")),
    "images of registry crp1",
    PAGING,
)
FOLDERS = Call(
    "resource_manager",
    "/resource-manager/v1/folders",
    (("cloudId", "b1g1"),),
    "folders of cloud b1g1",
    PAGING,
)

PHRASES = {each.value: each.phrase for each in HTTPStatus}

Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """What each path answers: one answer for ever, or a list of which the last one stays."""

    url: str = ""
    routes: dict[str, Play | list[Play]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first request has arrived."""

    def asked(self, call: Call = IMAGES) -> list[Seen]:
        return [request for request in self.seen if request.path == call.path]

    def play(self, path: str) -> Play:
        script = self.routes.get(path, status(404, {"code": 5, "message": "no such path"}))
        if not isinstance(script, list):
            return script
        return script.pop(0) if len(script) > 1 else script[0]


def write_head(status_code: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status_code} {PHRASES.get(status_code, 'As It Is')}"]
    lines += [f"{name}: {value}" for name, value in {"Connection": "close", **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def status(code: int, body: Any = None, **headers: str) -> Play:
    """An answer with a JSON body."""
    content = b"" if body is None else orjson.dumps(body)
    return raw(code, content, **headers)


def ok(body: Any, **headers: str) -> Play:
    return status(200, body, **headers)


def zipped(content: bytes, **headers: str) -> Play:
    return raw(200, gzip.compress(content), Content_Encoding="gzip", **headers)


def raw(code: int, content: bytes, **headers: str) -> Play:
    """An answer with these bytes; underscores in header names become dashes."""
    named = {"Content-Length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(write_head(code, named) + content)
        await writer.drain()

    return play


def dripping(content: bytes, pause: float) -> Play:
    """A good answer, one byte at a time."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(write_head(200, {"Content-Length": str(len(content))}))
        for byte in content:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause)

    return play


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body that goes on until the caller hangs up."""
    writer.write(write_head(200, {}) + b'{"images":')
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def hanging(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Breaks the connection off with a TCP reset."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def serve(
    routes: dict[str, Play | list[Play]] | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Scripted]:
    """Serve a script on a free port of this machine."""
    scripted = Scripted(routes=routes or {})

    under_way: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(converse(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            scripted.seen.append(request)
            scripted.arrival.set()
            await scripted.play(request.path)(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    scripted.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    parts = urlsplit(target)
    return Seen(
        method,
        parts.path,
        dict(parse_qsl(parts.query)),
        headers,
        await reader.readexactly(int(headers.get("content-length", 0))),
    )


def settings_for(server: Scripted, **sections: Any) -> Settings:
    """Settings that find every service at the server, without discovery.

    An outage is not waited for unless they say so.
    """
    names = ("container_registry", "resource_manager", "iam")
    given: dict[str, Any] = {
        "endpoints": dict.fromkeys(names, server.url),
        "credentials": {"iam_token": TOKEN},
        **sections,
        "limits": {"outage": 0, **sections.get("limits", {})},
    }
    return Settings(**given)


@dataclass
class Waits:
    """Stands in for `asyncio.sleep`: remembers, and does not wait."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def as_json(received: Received) -> Any:
    return orjson.loads(received.body)
