"""One HTTP request and its whole answer, in bounded time and memory; no retries, no meaning.

What aiohttp raises is turned into a `NoReplyError` of our own words and dropped: its exceptions
hold the request's headers, and with them the token. An answer that quotes a secret it was sent
comes without it: it is kept in the journal and told in errors.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from pydantic import SecretStr
from yarl import URL

from exporter.api.body import BodyBrokenError, BodyTooLargeError, read_body
from exporter.errors import SettingsError

_ERROR_BODY_BYTES = 1 << 16
"""How much of an answer other than 200 is read: enough for a google.rpc.Status."""

_LONGEST_ID = 100

_SHORTEST_SECRET = 16
"""Characters from which a secret is looked for in what a server says; what is shorter could be any
word of the data. (An IAM token has some 200.)"""

Trouble = Literal[
    "refused", "reset", "timeout", "truncated", "oversize", "garbled", "certificate", "unusable"
]

_TROUBLES: tuple[tuple[type[Exception], Trouble, str], ...] = (
    # aiohttp's classes inherit from each other: the special ones stand before the general ones.
    (aiohttp.ServerTimeoutError, "timeout", "no connection in time"),
    (
        aiohttp.ClientConnectorCertificateError,
        "certificate",
        "the server's certificate is not trusted; name a private authority in network.ca_file",
    ),
    (aiohttp.InvalidURL, "unusable", "the address is not a URL"),
    (aiohttp.ClientPayloadError, "truncated", "the answer was cut short"),
    (aiohttp.ClientConnectorDNSError, "refused", "the host name cannot be resolved"),
    (aiohttp.ClientProxyConnectionError, "refused", "the proxy cannot be reached"),
    (aiohttp.ClientConnectorError, "refused", "the connection was refused"),
    (aiohttp.ClientHttpProxyError, "refused", "the proxy refuses to connect"),
    (aiohttp.ClientResponseError, "garbled", "the answer is not HTTP"),
)


@dataclass(frozen=True)
class Reply:
    """An answer that arrived whole; `wire_bytes` is its body's length as it travelled."""

    status: int
    body: bytes
    wire_bytes: int
    request_id: str | None
    retry_after: str | None
    location: str | None


class NoReplyError(Exception):
    """No whole answer that could be used; `trouble` is the kind, the text a clause about it.

    `request_id` and `wire_bytes` tell of the part that did arrive.
    """

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        *,
        request_id: str | None = None,
        wire_bytes: int = 0,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.request_id = request_id
        self.wire_bytes = wire_bytes


class Transport:
    """Owns one aiohttp session; an async context manager.

    `connections` is the size of the pool. `ca_file` names the certificate authorities to trust
    instead of the system's; TLS is always verified. HTTPS_PROXY and NO_PROXY of the environment
    hold. Raises `SettingsError` on entering if `ca_file` cannot be used.
    """

    def __init__(self, *, connections: int, ca_file: Path | None) -> None:
        self._connections = connections
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, ssl=_trust(self._ca_file), keepalive_timeout=30
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "gzip", "User-Agent": "registry-exporter"},
            middlewares=(_send_once,),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - enforced here, so that body and headers share it
        max_bytes: int,
        bearer: SecretStr | None = None,
        post: Mapping[str, SecretStr] | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float | None = None,
    ) -> Reply:
        """Send one GET, or one POST of `post` as JSON, and return the whole answer.

        `timeout` bounds all of it in seconds, a body that drips included; `max_bytes` the body,
        unpacked. Redirects are not followed: a token must not be sent where a stranger points.
        Raises `NoReplyError`.
        """
        if self._session is None:
            raise RuntimeError("the transport is used outside its `async with`")
        wire: list[int] = []
        request_id: str | None = None
        address = URL(url, encoded=True)
        secrets = _telling(value for value in (bearer, *(post or {}).values()) if value)
        try:
            async with (
                asyncio.timeout(timeout),
                self._session.request(
                    "GET" if post is None else "POST",
                    address,
                    headers=_headers(bearer, headers),
                    json=None if post is None else _reveal(post),
                    proxy=_proxy(address),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
                ) as response,
            ):
                request_id = _unquoted(response.headers.get("x-request-id", ""), secrets) or None
                request_id = request_id and request_id[:_LONGEST_ID]
                body = await _read(response, max_bytes, wire)
                return Reply(
                    status=response.status,
                    body=_unquoted_bytes(body, secrets),
                    wire_bytes=sum(wire),
                    request_id=request_id,
                    retry_after=response.headers.get("Retry-After"),
                    location=_unquoted(response.headers.get("Location", ""), secrets) or None,
                )
        except (
            TimeoutError,
            OSError,
            aiohttp.ClientError,
            BodyTooLargeError,
            BodyBrokenError,
        ) as error:
            trouble, message = _explain(error, timeout, max_bytes)
        # Raised out here so that the new error keeps no link to the old one.
        raise NoReplyError(
            trouble, _unquoted(message, secrets), request_id=request_id, wire_bytes=sum(wire)
        )


async def _read(response: aiohttp.ClientResponse, max_bytes: int, wire: list[int]) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").lower()
    if response.status == 200:
        return await read_body(response.content.iter_any(), encoding, max_bytes, wire)
    try:
        return await read_body(response.content.iter_any(), encoding, _ERROR_BODY_BYTES, wire)
    except (BodyTooLargeError, BodyBrokenError):
        return b""  # the status alone says enough


def _proxy(address: URL) -> str | None:
    """Return the environment's proxy for an address; none for one whose requests it could read.

    (aiohttp's own way of reading the environment also reads ~/.netrc, and fails at the token then.)
    """
    if address.scheme != "https" or proxy_bypass(address.host or ""):
        return None
    proxy = getproxies().get("https")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _telling(secrets: Iterable[SecretStr]) -> list[str]:
    """Return the secrets that can be told from words."""
    texts = (secret.get_secret_value() for secret in secrets)
    return [text for text in texts if len(text) >= _SHORTEST_SECRET]


def _unquoted(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def _unquoted_bytes(body: bytes, secrets: Iterable[str]) -> bytes:
    for secret in secrets:
        body = body.replace(secret.encode(), "…".encode())
    return body


def _headers(bearer: SecretStr | None, more: Mapping[str, str] | None) -> dict[str, str]:
    headers = dict(more or {})
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer.get_secret_value()}"
    return headers


def _reveal(post: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in post.items()}


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True  # aiohttp's own context, which verifies by the system's authorities
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "it holds no PEM certificates"
    raise SettingsError(f"network.ca_file {ca_file} cannot be used: {reason}")


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET anew on its own when a connection breaks.

    It does so for the errors caught here, and has no switch for it (aiohttp issue 10790). Asking
    again is decided in `retry.py`, which waits, counts and logs.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        trouble, message = _explain_aiohttp(error)
    raise NoReplyError(trouble, message)


def _explain(error: Exception, timeout: float, max_bytes: int) -> tuple[Trouble, str]:
    """Name what went wrong, in words that hold nothing of the request."""
    if isinstance(error, TimeoutError):
        return "timeout", f"no whole answer within {timeout:g} seconds"
    if isinstance(error, BodyTooLargeError):
        return "oversize", f"the answer is larger than {max_bytes} bytes"
    if isinstance(error, BodyBrokenError):
        return "truncated" if error.cut_short else "garbled", str(error)
    return _explain_aiohttp(error)


def _explain_aiohttp(error: Exception) -> tuple[Trouble, str]:
    for kind, trouble, message in _TROUBLES:
        if isinstance(error, kind):
            return trouble, message
    return "reset", "the connection broke before the answer came"
