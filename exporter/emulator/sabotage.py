"""The effect of each fault of an answer: on the status, the body, or the connection."""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from .faults import Fault
from .status import StatusError

if TYPE_CHECKING:
    from .behaviour import Behaviour
    from .faults import Faults

HTML = (
    b"<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
"""The statuses of gateways."""
_DEPTH = 200_000
"""The depth of a deep body: too deep for the stack of a recursive parser."""

_STATUSES = {
    Fault.HTTP_404: (404, 5, "there is no such thing yet"),
    Fault.HTTP_409: (409, 10, "the call was aborted"),
    Fault.HTTP_500: (500, 13, "internal error"),
    Fault.HTTP_503: (503, 14, "the service is unavailable"),
    Fault.HTTP_504: (504, 4, "deadline exceeded"),
    # The answer of a service whose own permission check is down.
    Fault.UNAVAILABLE_403: (403, 14, "the permissions cannot be checked"),
}
_PAGES = {
    Fault.HTTP_408: (408, b"408 Request Time-out"),
    Fault.HTTP_502: (502, b"502 Bad Gateway"),
    Fault.HTTP_520: (520, b"520: Web server is returning an unknown error"),
    Fault.HTML_401: (401, b"401 Authorization Required"),
    Fault.HTML_403: (403, b"403 Forbidden"),
    Fault.HTML_404: (404, b"404 Not Found"),
    Fault.HTML: (200, b"Sign in to the proxy"),
}
"""The statuses that gateways send with a page of HTML."""
_EXTRA_HEADERS = {f"X-Envoy-Trace-{number}": "hop" for number in range(300)} | {
    "Content-Security-Policy": "default-src 'self'; " * 2000
}
"""Headers of a gateway that sends too many: one of 40 KiB, and 300 others."""


def raise_status(fault: Fault | None, faults: Faults) -> None:
    """Raise the StatusError of a fault that is a google.rpc.Status; otherwise do nothing."""
    if fault is Fault.HTTP_429:
        wait = None if faults.retry_after is None else f"{faults.retry_after:g}"
        raise StatusError(429, "the quota is used up", wait)
    if fault in _STATUSES:
        http, code, message = _STATUSES[fault]
        raise StatusError(http, message, code=code)


def gateways_answer(fault: Fault | None) -> web.Response | None:
    """The answer of a gateway, for a fault that is one."""
    if fault is Fault.HTTP_204:
        return web.Response(status=204)
    if fault is Fault.REDIRECT:
        return web.Response(status=302, headers={"Location": "https://proxy.example/sign-in"})
    if fault not in _PAGES:
        return None
    status, title = _PAGES[fault]
    return web.Response(status=status, body=HTML % (title, title), content_type="text/html")


def dress(fault: Fault, answer: web.Response, body: bytes) -> bool:
    """Send a sound answer in an unusual way that RFC 9110 allows; return whether that is the fault.

    That is a 203, which a proxy makes of a 200, a coding by another name, and many headers. A 206
    has but a part of the body, with a status that says so.
    """
    match fault:
        case Fault.HTTP_203:
            answer.set_status(203)
        case Fault.HTTP_206:
            answer.set_status(206)
            half = body[: len(body) // 2]
            answer.body = half
            answer.headers["Content-Range"] = f"bytes 0-{len(half) - 1}/{len(body)}"
        case Fault.BIG_HEADERS:
            answer.headers.update(_EXTRA_HEADERS)
        case Fault.X_GZIP:
            answer.headers["Content-Encoding"] = "X-GZip"
            answer.body = zlib.compress(body, wbits=31)
        case Fault.DEFLATE:
            answer.headers["Content-Encoding"] = "deflate"
            answer.body = zlib.compress(body)
        case _:
            return False
    return True


def through_gateway(body: bytes, behaviour: Behaviour) -> bytes:
    """A page's body behind the gateway, which may cut it off.

    Raises:
        StatusError: The body is larger than the gateway allows.

    """
    most = behaviour.largest_body
    if most is None or len(body) <= most:
        return body
    match behaviour.past_largest:
        case "cut":
            return body[:most]
        case "429":
            raise StatusError(
                429, f"grpc: received message larger than max ({len(body)} vs. {most})"
            )
        case status:
            raise StatusError(int(status), "upstream error")


async def spoil_answer(
    fault: Fault, request: web.Request, answer: web.Response, table: str, faults: Faults
) -> web.StreamResponse:
    """The answer with the fault in it; already sent, if the fault is in the sending."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    if fault is Fault.TRUNCATED:
        return await _send_truncated(request, answer, body)
    if fault is Fault.SLOW:
        return await _send_slowly(request, answer, body, faults)
    if dress(fault, answer, body):
        return answer
    if fault is Fault.GZIP_BOMB:
        answer.headers["Content-Encoding"] = "gzip"
        answer.body = _gzip_bomb(faults.oversize_bytes)
    else:
        answer.body = spoil_body(fault, body, table, faults)
    return answer


def spoil_body(fault: Fault, body: bytes, table: str, faults: Faults) -> bytes:
    """The body with the fault in it; unchanged for faults that are not in bodies."""
    key = table.encode()
    match fault:
        case Fault.GARBAGE:
            body = bytes((byte * 7 + 13) & 255 for byte in body[:4096])
        case Fault.UTF8_VALUE:
            body = _break_text(body, rb'("id": ?")', b"\\1\xff\xc3")
        case Fault.UTF8_KEY:
            body = _break_text(body, rb'"createdAt"|"name"', b'"creat\xc3At"')
        case Fault.NULL:
            body = b"null"
        case Fault.DOUBLED:
            body += body
        case Fault.DEEP:
            body = b'{"%s":%s%s}' % (key, b"[" * _DEPTH, b"]" * _DEPTH)
        case Fault.RENAMED:
            # An empty page has no key to rename.
            renamed = body.replace(b'"%s"' % key, b'"items"', 1)
            body = renamed if renamed != body else b'{"items":[]}'
        case Fault.NUMBERS:
            body = _break_text(body, rb'"id": ?"[^"]*"', b'"id":12345', 0)
        case Fault.OVERSIZE:
            # The same JSON, with spaces before its last brace.
            body = body[:-1] + b" " * max(0, faults.oversize_bytes - len(body)) + b"}"
    return body


def spoil_items(items: list[bytes], call: str, faults: Faults) -> list[bytes]:
    """A page's items as JSON, with the spoilt and the repeated ones among them."""
    key = "name" if call == "repositories" else "id"
    spoilt = []
    for text in items:
        item = orjson.loads(text)
        at = item[key]
        spoilt.append(text)
        if at in faults.spoilt:
            del item[key]
            rest, put = orjson.dumps(item), faults.spoilt[at]
            spoilt[-1] = b'{"%b":%b,%b' % (key.encode(), put.encode(), rest[1:]) if put else rest
        elif at in faults.repeated:
            again = item | {"tags": ["repeated"]} if faults.repeated[at] else item
            spoilt.append(orjson.dumps(again))
    return spoilt


def _gzip_bomb(size: int) -> bytes:
    """A gzip stream, a thousandth of the size, that unpacks to one JSON object of that size."""
    packer = zlib.compressobj(9, wbits=31)
    chunk = b" " * (1 << 20)
    parts = [packer.compress(b'{"padding":"')]
    parts += [packer.compress(chunk) for _ in range(max(1, size >> 20))]
    return b"".join([*parts, packer.compress(b'"}'), packer.flush()])


async def _send_truncated(
    request: web.Request, answer: web.Response, body: bytes
) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close the connection."""
    stream = _stream_of(answer, len(body) + 1)
    await stream.prepare(request)
    await stream.write(body[: max(1, len(body) // 2)])
    if request.transport is not None:
        request.transport.close()
    return stream


async def _send_slowly(
    request: web.Request, answer: web.Response, body: bytes, faults: Faults
) -> web.StreamResponse:
    """Send the whole body, piece by piece with a pause after each."""
    stream = _stream_of(answer, len(body))
    await stream.prepare(request)
    for start in range(0, len(body), max(1, faults.drip_bytes)):
        await stream.write(body[start : start + faults.drip_bytes])
        await asyncio.sleep(faults.drip_seconds)
    await stream.write_eof()
    return stream


def reset(request: web.Request) -> web.Response:
    """Break the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    # No client reads it, but the server needs a return value.
    return web.Response(status=500)


def _stream_of(answer: web.Response, length: int) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = length
    return stream


def _break_text(body: bytes, pattern: bytes, put: bytes, count: int = 1) -> bytes:
    """The body with matches replaced; an empty page becomes another broken body."""
    broken = re.sub(pattern, put, body, count=count)
    return broken if broken != body else b'{"\xff":12345}'
