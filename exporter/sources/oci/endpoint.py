"""Where a registry is: its id, its base URL, and how it answers a first call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from exporter.http.faults import Fault, FaultError, fault_of_reply, fault_of_silence
from exporter.http.redirects import is_local
from exporter.http.reply import Reply
from exporter.http.transport import Transport
from exporter.http.trouble import NoReplyError
from exporter.settings import OciRegistry
from exporter.settings.oci import HUB

HUB_HOST = "registry-1.docker.io"
TIMEOUT = 30.0
_MOST_BYTES = 1 << 16
_MOST_ODD = 3
"""After so many answers that are likely a gateway's, one is taken for the registry's own."""
_SPEAKS_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)


class Endpoint:
    """One registry's address. A loopback address without a setting is tried in plain HTTP first."""

    def __init__(self, registry: OciRegistry, transport: Transport) -> None:
        self.registry_id = registry.host
        self.host = HUB_HOST if registry.host == HUB else registry.host
        self._path = registry.base_path
        self._transport = transport
        self._scheme: str | None = "http" if registry.plain_http else "https"
        name = self.host.rpartition(":")[0] if not self.host.endswith("]") else self.host
        is_loopback = is_local((name if ":" in self.host else self.host).strip("[]"))
        if is_loopback and not registry.plain_http and registry.ca_file is None:
            self._scheme = None
        self._asked: Reply | None = None
        self._asking = asyncio.Lock()
        self._odd_answers = 0

    async def base(self) -> str:
        """Return the URL before `/v2/`."""
        if self._scheme is None:
            with suppress(FaultError):  # The call that asks for this meets the same, and waits.
                await self.first_answer()
        return self._url(self._scheme or "http")

    async def challenges(self) -> Sequence[str]:
        """Return the WWW-Authenticate headers of `GET /v2/`; raises `FaultError`."""
        reply = await self.first_answer()
        return reply.headers.getall("WWW-Authenticate", [])

    async def first_answer(self) -> Reply:
        """Return the answer to `GET /v2/`, which is asked once; raises `FaultError`."""
        async with self._asking:
            if self._asked is None:
                self._asked = await self._ask()
            return self._asked

    async def _ask(self) -> Reply:
        if self._scheme is not None:
            return await self._get(self._scheme)
        try:
            reply = await self._get("http")
        except FaultError as error:
            if error.fault.reason != "garbled":
                raise
        else:
            if not (reply.status == 400 and _SPEAKS_TLS.search(reply.body)):
                self._scheme = "http"
                return reply
            self._scheme = "https"
        reply = await self._get("https")
        self._scheme = "https"
        return reply

    async def _get(self, scheme: str) -> Reply:
        try:
            reply = await self._transport.send(
                f"{self._url(scheme)}/v2/", timeout=TIMEOUT, max_bytes=_MOST_BYTES, any_body=True
            )
        except NoReplyError as error:
            raise FaultError(fault_of_silence(error)) from None
        fault = fault_of_reply(reply)
        if fault is not None and (reply.status >= 500 or reply.status == 429):
            raise FaultError(fault)
        if self._odd_answers < _MOST_ODD and _is_odd(reply):
            self._odd_answers += 1
            message = f"the registry's first answer was {reply.status} without an answer of the API"
            raise FaultError(
                Fault("odd_answer", message, "answer", True, request_id=reply.request_id)
            )
        return reply

    def _url(self, scheme: str) -> str:
        return f"{scheme}://{self.host}{self._path}"


def _is_odd(reply: Reply) -> bool:
    """Return whether a success has no content, or a web page."""
    is_empty = reply.status in (204, 205, 206)
    return reply.status < 300 and (is_empty or reply.body.lstrip().startswith(b"<"))
