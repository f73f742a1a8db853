"""The client: one list call from question to decoded page, with its limits and retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr

from exporter.api.address import call_line, call_url
from exporter.api.credentials import Tokens, choose_source
from exporter.api.credentials.exchange import Exchange
from exporter.api.endpoints import Directory
from exporter.api.faults import (
    THROTTLED_STATUSES,
    Fault,
    FaultError,
    fault_of_reply,
    fault_of_silence,
    parse_retry_after,
)
from exporter.api.limiter import Limiter, LimiterStatistics, Slot
from exporter.api.retry import Sleep, retrying
from exporter.api.transport import NoReplyError, Reply, Transport
from exporter.api.types import Answer, Call, Counts, PageT, Sent, Service
from exporter.errors import CredentialsError, PageError
from exporter.settings import Settings

_TOKEN_ATTEMPTS = 5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Target:
    """A call with the place it goes to; `line` is how errors show it.

    Where it has to wait for the host, the one with the largest `weight` goes first.
    """

    call: Call
    base: str
    url: str
    line: str
    limiter: Limiter
    weight: float


class Client:
    """The list API of one cloud; an async context manager that belongs to one event loop.

    Any number of `get`s may be under way; a limiter per host decides how many are sent at once.
    `sleep` waits between attempts, in seconds.
    """

    def __init__(self, settings: Settings, *, sleep: Sleep = asyncio.sleep) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._sleep = sleep
        self._transport = Transport(
            connections=settings.limits.concurrency + 2,  # discovery and tokens wait for no page
            ca_file=settings.network.ca_file,
        )
        self._directory = Directory(settings, self._transport, sleep=sleep)
        self._limiters: dict[str, Limiter] = {}
        self._by_service: dict[Service, Limiter] = {}
        self._counts = Counts()
        self._tokens: Tokens | None = None
        self._proof: _Target | None = None
        self._refuses_scopes = False
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the session and choose the credentials.

        Raises `SettingsError` for a CA file, and `CredentialsError` for a token, that cannot be
        used.
        """
        exchange = Exchange(
            self._directory, self._transport, attempts=_TOKEN_ATTEMPTS, sleep=self._sleep
        )
        source = choose_source(self._settings.credentials, exchange, sleep=self._sleep)
        await self._resources.enter_async_context(self._transport)
        self._tokens = Tokens(source)
        self._resources.push_async_callback(self._tokens.close)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    @property
    def counts(self) -> Counts:
        """What was sent and received so far."""
        return self._counts

    @property
    def limiters(self) -> tuple[LimiterStatistics, ...]:
        """The state of each host's limiter, in the order in which the hosts were first asked."""
        return tuple(limiter.statistics() for limiter in self._limiters.values())

    def spare(self, service: Service) -> bool:
        """Say whether one more call to a service could start now, on a host nothing holds back.

        False for a service that was not asked anything yet.
        """
        limiter = self._by_service.get(service)
        return limiter is not None and limiter.spare

    def paced(self, service: Service) -> bool:
        """Say whether a service's host limits the calls a second, so that each of them counts."""
        limiter = self._by_service.get(service)
        return limiter is not None and limiter.paced

    async def get(
        self,
        call: Call,
        decode: Callable[[bytes], Awaitable[PageT]],
        *,
        weight: float = 0.0,
        sent: Sent | None = None,
    ) -> Answer[PageT]:
        """Return a call's answer, with the page that `decode` makes of its unpacked body.

        Where calls have to wait for the host, the one with the largest `weight` goes first.
        `sent` is kept up to date for whoever may cancel it.

        A passing fault is tried again, `limits.attempts` times in all: 429, 500, 502, 503, 504,
        no whole answer in time, a body that is no JSON object, and a `PageError` of `decode`.
        No slot is held while it waits or decodes.

        Raises `StatusError` (400, 403, 404, a 401 about this scope alone, a status that stays),
        `AnswerError` (a redirect, an answer that stays wrong or too large), `UnreachableError`,
        and `CredentialsError` where no token can be had, or the cloud does not take it at all.
        """
        sent = sent or Sent()
        target = await self._locate(call, weight)
        back_off = partial(self._back_off, target.limiter)
        attempts = retrying(self._limits.attempts, back_off, what=call.scope)
        try:
            return await attempts(self._attempt, target, decode, sent)
        except FaultError as error:
            fault = error.fault
        raise fault.error(call=target.line, scope=call.scope, calls=sent.calls)

    async def _locate(self, call: Call, weight: float) -> _Target:
        base = await self._directory.base(call.service)
        host = urlsplit(base).netloc
        limiter = self._limiters.get(host)
        if limiter is None:
            limiter = self._limiters[host] = Limiter(
                host,
                concurrency=self._limits.concurrency,
                requests_per_second=self._limits.requests_per_second,
            )
        self._by_service[call.service] = limiter
        return _Target(call, base, call_url(base, call), call_line(call, base), limiter, weight)

    async def _back_off(self, limiter: Limiter, seconds: float) -> None:
        with limiter.away():
            await self._sleep(seconds)

    async def _attempt(
        self, target: _Target, decode: Callable[[bytes], Awaitable[PageT]], sent: Sent
    ) -> Answer[PageT]:
        """Make one attempt; raises `FaultError` and `CredentialsError`."""
        token = await self._good_tokens.get()
        reply = await self._send(target, token, sent)
        if reply.status == 401:
            reply = await self._ask_anew(target, reply, token, sent)
        fault = fault_of_reply(reply)
        if fault is not None:
            raise FaultError(fault)
        try:
            page = await decode(reply.body)
        except PageError as error:
            fault = Fault(
                "bad_page",
                f"the API answered with a page that cannot be used: {error}",
                kind="answer",
                passing=True,
                request_id=reply.request_id,
            )
        else:
            if self._proof is None:
                # A listing's first page, and as little of it as can be, proves a token later.
                probe = target.call.without_params("pageToken").with_params(pageSize="1")
                self._proof = replace(target, call=probe, url=call_url(target.base, probe))
            return Answer(
                page, reply.body, sent.calls, reply.request_id, sent.wire_bytes, sent.seconds
            )
        raise FaultError(fault)

    async def _send(self, target: _Target, token: SecretStr, sent: Sent) -> Reply:
        """Send one request in a slot of its host; raises `FaultError` where no answer came."""
        async with target.limiter.slot(target.weight) as slot:
            retry = sent.calls > 0
            sent.calls += 1
            self._count(calls=1, retries=int(retry))
            began = time.monotonic()
            try:
                reply = await self._transport.send(
                    target.url,
                    timeout=self._limits.request_timeout.total_seconds(),
                    max_bytes=self._limits.max_page_bytes,
                    bearer=token,
                )
            except NoReplyError as error:
                if error.trouble == "timeout":
                    slot.overloaded()
                sent.wire_bytes += error.wire_bytes
                self._count(wire_bytes=error.wire_bytes)
                raise FaultError(fault_of_silence(error)) from None
            self._judge(target, slot, reply)
        sent.seconds = time.monotonic() - began
        sent.wire_bytes += reply.wire_bytes
        self._count(wire_bytes=reply.wire_bytes)
        return reply

    def _judge(self, target: _Target, slot: Slot, reply: Reply) -> None:
        """Tell the limiter what an answer says about the host."""
        if reply.status in THROTTLED_STATUSES:
            self._count(throttled=1)
            if reply.status == 429:
                slot.refused()
            else:
                slot.overloaded()
            wait = parse_retry_after(reply.retry_after)
            if wait is not None:
                target.limiter.hold(wait)
        elif reply.status < 500:
            slot.good()

    async def _ask_anew(self, target: _Target, reply: Reply, token: SecretStr, sent: Sent) -> Reply:
        """Answer a 401 with a new token, and find out whom a second 401 is about.

        The answer returned is a 401 only if that is about this scope alone: a call that was
        answered before still is. Raises `CredentialsError` if it is not.
        """
        if self._refuses_scopes and await self._still_accepted(token, sent):
            return reply  # known to answer 401 for scopes: another token would not help
        try:
            fresh = await self._good_tokens.renew(token)
        except CredentialsError:
            if await self._still_accepted(token, sent):
                return reply  # there is no newer one to ask with, and this one is not the matter
            raise
        _log.info("token_refused", scope=target.call.scope, request_id=reply.request_id)
        reply = await self._send(target, fresh, sent)
        if reply.status != 401:
            return reply
        if await self._still_accepted(fresh, sent):
            self._refuses_scopes = True
            return reply
        raise CredentialsError(
            f"the cloud does not accept the credentials from {self._good_tokens.source_name}: "
            f"{target.line} was answered 401, with a renewed token too; check that they are of "
            "this cloud, not expired and not revoked"
        )

    async def _still_accepted(self, token: SecretStr, sent: Sent) -> bool:
        if self._proof is None:
            return False
        reply = await self._send(self._proof, token, sent)
        fault = fault_of_reply(reply)
        if fault is not None and fault.passing:
            raise FaultError(fault)
        return reply.status == 200

    @property
    def _good_tokens(self) -> Tokens:
        if self._tokens is None:
            raise RuntimeError("the client is used outside its `async with`")
        return self._tokens

    def _count(
        self, *, calls: int = 0, retries: int = 0, throttled: int = 0, wire_bytes: int = 0
    ) -> None:
        before = self._counts
        self._counts = Counts(
            calls=before.calls + calls,
            retries=before.retries + retries,
            throttled=before.throttled + throttled,
            wire_bytes=before.wire_bytes + wire_bytes,
        )
