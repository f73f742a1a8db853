"""The client: one list call until its page is decoded, with limits and retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from exporter.errors import ApiError, FlawedPageError, PageError
from exporter.http.api import OpenApi
from exporter.http.auth import BEARER, Authenticator, TokenHeader
from exporter.http.faults import (
    FLAWED,
    Fault,
    FaultError,
    fault_of_page,
    fault_of_reply,
    is_unauthenticated,
)
from exporter.http.hosts import Hosts
from exporter.http.limiter import Limiter, LimiterStatistics
from exporter.http.outage import Attempts, HostClosedError, Outages
from exporter.http.remedies import BY_DOMAIN, Remedies
from exporter.http.reply import Reply
from exporter.http.retry import Sleep, retrying
from exporter.http.sending import Sender, Target
from exporter.http.silence import OutageStatistics
from exporter.http.status import ErrorReader
from exporter.http.too_large import Signs, with_advice
from exporter.http.transport import NO_CA_FILES, Transport
from exporter.http.types import Answer, Call, Counts, PageT, Received, Sent
from exporter.http.unauthorized import Unauthorized
from exporter.settings import Limits

MOST_FLAWED = 4
"""Answers with an unreadable value that one call may get; the last one is used without that value.
Gateways have been seen to damage an answer more than once."""

_log = structlog.get_logger(__name__)


class Client:
    """Calls to one API; an async context manager that belongs to one event loop.

    Any number of `get`s may wait; a limiter per host decides how many are sent at once. `open_api`
    makes the API with its addresses and credentials, `read_error` reads its errors, `token_header`
    is the header for tokens. `ca_file` names the authorities to trust instead of the
    system's, `ca_files` those for single hosts, with their port if it is not the usual one. With
    `watches_queues`, no host gets more calls at once than it works on. `remedies` are the advice
    about addresses. `sleep` waits between attempts, in seconds.
    """

    def __init__(
        self,
        open_api: OpenApi,
        limits: Limits,
        *,
        read_error: ErrorReader,
        token_header: TokenHeader = BEARER,
        ca_file: Path | None = None,
        ca_files: Mapping[str, Path] = NO_CA_FILES,
        watches_queues: bool = False,
        remedies: Remedies = BY_DOMAIN,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._limits = limits
        self._sleep = sleep
        self._transport = Transport(
            # Discovery, tokens and probes have connections of their own.
            connections=limits.concurrency + 3,
            ca_file=ca_file,
            read_error=read_error,
            token_header=token_header,
            ca_files=ca_files,
            remedies=remedies,
        )
        self._api = open_api(self._transport, sleep)
        self._sender = Sender(self._transport, limits)
        self._outages = Outages(limits.outage.total_seconds())
        self._hosts = Hosts(limits, self._outages, watches_queues=watches_queues)
        self._tokens: Authenticator | None = None
        self._unauthorized = Unauthorized(self._sender)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the session and choose the credentials.

        Raises `SettingsError` for a CA file, and `CredentialsError` for a token, that cannot be
        used.
        """
        tokens = self._api.authenticator(self._outages)
        await self._resources.enter_async_context(self._transport)
        self._tokens = tokens
        self._resources.push_async_callback(self._tokens.close)
        self._resources.push_async_callback(self._outages.close)
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
        """The requests and bytes so far."""
        return self._sender.counts

    @property
    def limiters(self) -> tuple[LimiterStatistics, ...]:
        """The state of each host's limiters, in the order in which the hosts were first asked."""
        return self._hosts.limiters

    @property
    def outages(self) -> tuple[OutageStatistics, ...]:
        """The hosts that do not answer at the moment."""
        return self._outages.statistics

    async def base(self, service: str) -> str:
        """Return the base URL of a service that calls name, without a slash at its end."""
        return await self._api.base(service)

    def spare(self, service: str) -> bool:
        """Return whether one more call to a service could start now without waiting.

        False for a service that was not called yet.
        """
        return self._hosts.spare(service)

    def paced(self, service: str) -> bool:
        """Return whether a service's host limits the calls a second, so each call costs time."""
        return self._hosts.paced(service)

    async def get(
        self,
        call: Call,
        decode: Callable[[Received], Awaitable[PageT]],
        *,
        weight: float = 0.0,
        sent: Sent | None = None,
    ) -> Answer[PageT]:
        """Return a call's answer, with the page that `decode` makes of its body and headers.

        If calls have to wait for the host, the one with the largest `weight` goes first. `sent` is
        kept up to date, so that a caller that cancels the call can read it.

        A page with a flaw (`FlawedPageError` of `decode`) is asked for again as well. After
        `MOST_FLAWED` of them, or without another attempt, it is used as it is.

        A temporary fault is tried again, `limits.attempts` times in all. Such are an error that is
        not the API's own, or has a temporary code (`status`), no whole answer in time, a body that
        is no JSON object, and a `PageError` of `decode`. The call holds no slot while it waits or
        decodes. A failure does not count as an attempt if the host answers no call at all: then all
        its calls wait (`outage`).

        Raises `StatusError` (the API's own error, a 401 about this scope alone, a status that
        stays), `AnswerError` (a redirect, an answer that stays wrong or too large),
        `UnreachableError`. For the whole run, it raises `CredentialsError` if no token is available
        or the API accepts none, and `OutageError` if a host answers no call for too long.
        """
        sent = sent or Sent()
        target = await self._locate(call, weight)
        attempts = Attempts(self._limits.attempts)
        signs = Signs()
        again = retrying(
            lambda _: (
                attempts.given_up
                or attempts.flawed >= MOST_FLAWED
                or (call.is_long and signs.point_to_size(given_up=False))
            ),
            partial(self._back_off, target.host.limiter),
            what=call.scope,
        )
        try:
            return await again(self._answered, target, decode, sent, attempts, signs)
        except FaultError as error:
            fault, answer = error.fault, error.answer
        if answer is not None:
            _log.warning("flawed_page_taken", scope=call.scope, reason=fault.told(sent.calls))
            return answer
        shorter = call.is_long and signs.point_to_size(given_up=attempts.given_up)
        told = fault if call.is_long else with_advice(fault, call)
        failure = told.error(call=target.line, scope=call.scope, calls=sent.calls)
        if isinstance(failure, ApiError):
            failure.shorter_page_may_do = shorter
        raise failure

    async def _locate(self, call: Call, weight: float) -> Target:
        base = await self._api.base(call.service)
        host = self._hosts.find(call, base)
        return Target(call, base, host, weight)

    async def _back_off(self, limiter: Limiter, seconds: float) -> None:
        with limiter.away():
            await self._sleep(seconds)

    async def _answered(
        self,
        target: Target,
        decode: Callable[[Received], Awaitable[PageT]],
        sent: Sent,
        attempts: Attempts,
        signs: Signs,
    ) -> Answer[PageT]:
        """Make one attempt, and repeat it after an outage; raises `OutageError` as well."""
        watch = target.host.watch
        while True:
            await watch.ready(attempts)
            try:
                return await self._attempt(target, decode, sent)
            except HostClosedError:
                continue
            except FaultError as error:
                fault, answer = error.fault, error.answer
            probe = partial(self._probe, target)
            if not await watch.failed(attempts, sent.began, fault, probe):
                signs.note(fault)
                attempts.flawed += fault.reason == FLAWED
                raise FaultError(fault, answer)

    async def _probe(self, target: Target, seconds: float | None) -> Fault | None:
        """Ask for the first item of a call's listing."""
        try:
            token = await self._good_tokens.get(target.call.token_scope)
        except FaultError as error:
            return error.fault
        return await self._sender.probe(target.least(), token, seconds)

    async def _attempt(
        self, target: Target, decode: Callable[[Received], Awaitable[PageT]], sent: Sent
    ) -> Answer[PageT]:
        """Make one attempt; raises `FaultError`, `HostClosedError` and `CredentialsError`."""
        tokens = self._good_tokens
        sent.began = asyncio.get_running_loop().time()  # In case no token can be had.
        token = await tokens.get(target.call.token_scope)
        reply = await self._sender.send(target, token, sent)
        if is_unauthenticated(reply):
            reply = await self._unauthorized.ask_again(tokens, target, reply, token, sent)
        fault = fault_of_reply(reply)
        if fault is not None:
            raise FaultError(fault)
        answer: Answer[PageT] | None = None
        try:
            page = await decode(Received(reply.body, reply.headers))
        except FlawedPageError as error:
            answer = _answer(error.page, reply, sent)
            fault = fault_of_page(error, reply)
        except PageError as error:
            fault = fault_of_page(error, reply)
        else:
            self._note_answered(target)
            return _answer(page, reply, sent)
        raise FaultError(fault, answer)

    def _note_answered(self, target: Target) -> None:
        """Remember calls that were answered: they can prove a token, or that a host is up."""
        target.host.watch.proves(partial(self._probe, target))
        self._unauthorized.note_answered(target)

    @property
    def _good_tokens(self) -> Authenticator:
        if self._tokens is None:
            raise RuntimeError("the client is used outside its `async with`")
        return self._tokens


def _answer(page: PageT, reply: Reply, sent: Sent) -> Answer[PageT]:
    return Answer(
        page,
        reply.body,
        sent.calls,
        reply.request_id,
        sent.wire_bytes,
        sent.seconds,
        reply.headers,
    )
