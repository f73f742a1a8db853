"""One HTTP request and its whole answer, in bounded time and memory; no retries, no meaning.

Errors of aiohttp are replaced by a `NoReplyError` with our own words, because they contain the
request's headers and so the token. If an answer quotes a secret from the request, the secret is
removed: the answer goes to the journal and to error messages.
"""

from __future__ import annotations

import asyncio
import codecs
import ssl
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from multidict import CIMultiDict
from pydantic import SecretStr
from yarl import URL

from exporter.http.auth import BEARER, TokenHeader
from exporter.http.authorities import trusted
from exporter.http.body import BodyBrokenError, BodyTooLargeError, read_body
from exporter.http.library import aiohttp
from exporter.http.proxies import proxy_for
from exporter.http.quoting import passwords, telling, unquoted, unquoted_bytes
from exporter.http.redirects import REDIRECTS, RefusedRedirectError, redirected
from exporter.http.remedies import BY_DOMAIN, Remedies
from exporter.http.reply import Reply
from exporter.http.status import ErrorAnswer, ErrorReader, is_success
from exporter.http.trouble import (
    LONGEST_HEADER,
    MOST_HEADERS,
    Explained,
    NoReplyError,
    explain,
)

_ERROR_BODY_BYTES = 1 << 16
"""Bytes that are read of an answer other than 200: enough for an API's error."""

_LONGEST_ID = 100

NO_CA_FILES: Mapping[str, Path] = MappingProxyType({})


class Transport:
    """Owns one aiohttp session; an async context manager.

    `connections` is the size of the pool, `read_error` reads the body of an error, `token_header`
    is how a token is sent. `ca_file` names the certificate authorities to trust instead of the
    system's, `ca_files` those for single hosts; TLS is always verified.
    `remedies` are the advice about addresses. HTTPS_PROXY and NO_PROXY of the environment apply.
    Raises `SettingsError` on entering if `ca_file` cannot be used.
    """

    def __init__(
        self,
        *,
        connections: int,
        ca_file: Path | None,
        read_error: ErrorReader,
        token_header: TokenHeader = BEARER,
        ca_files: Mapping[str, Path] = NO_CA_FILES,
        remedies: Remedies = BY_DOMAIN,
    ) -> None:
        self._remedies = remedies
        self._ca_files = ca_files
        self._trusted: dict[str, ssl.SSLContext | bool] = {}
        self._connections = connections
        self._token_header = token_header
        self._read_error = read_error
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None
        self._proven: set[str] = set()

    async def __aenter__(self) -> Self:
        self._trusted = {
            host: trusted(file, f"the ca_file of {host}") for host, file in self._ca_files.items()
        }
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, ssl=trusted(self._ca_file), keepalive_timeout=30
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "gzip", "User-Agent": "registry-exporter"},
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
            middlewares=(self._send_once,),
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
        token: SecretStr | None = None,
        post: Mapping[str, SecretStr] | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float | None = None,
        method: str = "GET",
        as_form: bool = False,
        redirects: int = 0,
        any_body: bool = False,
    ) -> Reply:
        """Send one GET or HEAD, or one POST of `post` as JSON, and return the whole answer.

        With `as_form`, a POST is a form instead. `timeout` bounds every request in seconds, also a
        slow body. `max_bytes` bounds the unpacked body. So many `redirects` are followed, without
        the token and the headers: neither must go to another address. Raises `NoReplyError`.
        """
        address = URL(url, encoded=True)
        ask = partial(
            self._send,
            timeout=timeout,
            max_bytes=max_bytes,
            post=post,
            as_form=as_form,
            connect_timeout=connect_timeout,
            method=method if post is None else "POST",
            any_body=any_body,
        )
        reply = await ask(address, token=token, headers=headers)
        for _ in range(redirects):
            if reply.status not in REDIRECTS or reply.location is None:
                break
            wire_bytes = reply.wire_bytes
            try:
                address = await redirected(
                    address, reply.location, resolve=proxy_for(address) is None
                )
            except RefusedRedirectError as error:
                raise NoReplyError("unusable", f"{error}, and is not followed") from None
            reply = await ask(address, token=None, headers=None)
            reply = replace(reply, wire_bytes=reply.wire_bytes + wire_bytes)
        return reply

    async def _send(
        self,
        address: URL,
        *,
        timeout: float,  # noqa: ASYNC109 - as for `send`
        max_bytes: int,
        token: SecretStr | None,
        post: Mapping[str, SecretStr] | None,
        as_form: bool,
        headers: Mapping[str, str] | None,
        connect_timeout: float | None,
        method: str,
        any_body: bool,
    ) -> Reply:
        if self._session is None:
            raise RuntimeError("the transport is used outside its `async with`")
        wire: list[int] = []
        request_id: str | None = None
        host = address.host_port_subcomponent or ""
        secrets = telling(value for value in (token, *(post or {}).values()) if value)
        proxy = proxy_for(address)
        try:
            async with (
                asyncio.timeout(timeout),
                self._session.request(
                    method,
                    address,
                    headers=self._headers(token, headers),
                    json=None if post is None or as_form else _reveal(post),
                    data=None if post is None or not as_form else _reveal(post),
                    proxy=proxy,
                    ssl=self._trusted.get(host, True),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
                ) as response,
            ):
                request_id = unquoted(response.headers.get("x-request-id", ""), secrets) or None
                request_id = request_id and request_id[:_LONGEST_ID]
                usable = is_success(response.status, posted=post is not None)
                body = await _read(response, max_bytes if usable else None, wire)
                body = unquoted_bytes(body.removeprefix(codecs.BOM_UTF8), secrets)
                received = CIMultiDict(
                    (name, unquoted(value, secrets)) for name, value in response.headers.items()
                )
                error = None
                if not usable:
                    body = unquoted_bytes(body, passwords(token))
                    error = self._read_error(ErrorAnswer(response.status, received, body))
                reply = Reply(
                    status=response.status,
                    headers=received,
                    body=body,
                    wire_bytes=sum(wire),
                    request_id=request_id,
                    retry_after=(error and error.retry_after) or received.get("Retry-After"),
                    location=received.get("Location") or None,
                    posted=post is not None,
                    any_body=any_body,
                    code=error.code if error else "",
                    message=error.message if error else "",
                    remedies=self._remedies,
                )
                if usable:
                    self._proven.add(host)
                return reply
        except _ExplainedError as broken:
            explained = broken.explained
        except (TimeoutError, BodyTooLargeError, BodyBrokenError) as broken:
            explained = _explain(broken, timeout, max_bytes)
        except (OSError, aiohttp.ClientError) as broken:
            explained = explain(broken, host=host, proxy=proxy, remedies=self._remedies)
        # Raised here, so that the new error has no link to the old one.
        trouble, message, advice = explained
        raise NoReplyError(
            trouble,
            unquoted(message, secrets),
            advice,
            request_id=request_id,
            wire_bytes=sum(wire),
            proven=host in self._proven,
        )

    async def _send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Keep aiohttp from repeating a GET on its own when a connection breaks.

        It does so for the errors caught here, and has no switch for it (aiohttp issue 10790). Only
        `retry.py` decides about retries: it waits, counts and logs.
        """
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            explained = explain(
                error,
                host=request.url.host_port_subcomponent or "",
                proxy=request.proxy,
                remedies=self._remedies,
            )
        raise _ExplainedError(explained)

    def _headers(self, token: SecretStr | None, more: Mapping[str, str] | None) -> dict[str, str]:
        own = self._token_header.of(token) if token is not None else {}
        return {**(more or {}), **own}


async def _read(response: aiohttp.ClientResponse, max_bytes: int | None, wire: list[int]) -> bytes:
    """Return the body of at most so many bytes; None for that of an answer that is no success."""
    codings = ",".join(response.headers.getall("Content-Encoding", []))
    chunks = response.content.iter_any()
    if max_bytes is not None:
        return await read_body(chunks, codings, max_bytes, wire)
    try:
        return await read_body(chunks, codings, _ERROR_BODY_BYTES, wire)
    except (BodyTooLargeError, BodyBrokenError):
        return b""  # the status is enough


def _reveal(post: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in post.items()}


class _ExplainedError(Exception):
    """Carries what is left of one of aiohttp's errors past aiohttp."""

    def __init__(self, explained: Explained) -> None:
        super().__init__()
        self.explained = explained


def _explain(error: Exception, timeout: float, max_bytes: int) -> Explained:
    """Return the error for an answer that broke off, or did not begin."""
    if isinstance(error, BodyTooLargeError):
        return "oversize", f"the answer is larger than {max_bytes} bytes", ""
    if isinstance(error, BodyBrokenError):
        return "truncated" if error.cut_short else "garbled", str(error), ""
    return "timeout", f"no whole answer within {timeout:g} seconds", ""
