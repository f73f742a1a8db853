"""One request of a list call: in a slot of its host, counted, with a fault for a bad answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from pydantic import SecretStr

from exporter.http.address import call_line, call_url
from exporter.http.faults import (
    THROTTLED_STATUSES,
    Fault,
    FaultError,
    fault_of_reply,
    fault_of_silence,
    parse_retry_after,
)
from exporter.http.limiter import Limiter, Slot
from exporter.http.outage import HostClosedError, HostWatch
from exporter.http.reply import Reply
from exporter.http.silence import is_answer
from exporter.http.too_large import STALLED, says_too_large
from exporter.http.transport import Transport
from exporter.http.trouble import NoReplyError
from exporter.http.types import Call, Counts, Sent
from exporter.settings import Limits


@dataclass(frozen=True)
class Host:
    """A host of list calls: how many at once, how fast, and whether it answers at all."""

    limiter: Limiter
    watch: HostWatch


@dataclass(frozen=True)
class Target:
    """A call with its host, and the base URL of its service there.

    If calls have to wait for the host, the one with the largest `weight` goes first.
    """

    call: Call
    base: str
    host: Host
    weight: float

    @property
    def line(self) -> str:
        """Its form in errors."""
        return call_line(self.call, self.base)

    def least(self) -> Target:
        """Return the call for the listing's first page, with as few items as possible."""
        return replace(self, call=self.call.least())


class Sender:
    """Sends requests, and reports the outcome to the host's limiter and watch.

    `counts` are the requests and bytes so far.
    """

    def __init__(self, transport: Transport, limits: Limits) -> None:
        self.counts = Counts()
        self._transport = transport
        self._limits = limits

    async def send(self, target: Target, token: SecretStr, sent: Sent) -> Reply:
        """Send one request in a slot of its host; raises `FaultError` if no answer came.

        Raises `HostClosedError`, and sends nothing, if the host went down meanwhile.
        """
        host = target.host
        async with host.limiter.slot(target.weight) as slot:
            if host.watch.closed:
                raise HostClosedError
            retry = sent.calls > 0
            sent.calls += 1
            sent.began = asyncio.get_running_loop().time()
            self.counts += Counts(calls=1, retries=int(retry))
            began = time.monotonic()
            try:
                reply = await self._send(target, token, self._longest(target.call))
            except NoReplyError as error:
                if error.trouble == "timeout":
                    slot.overloaded()
                sent.wire_bytes += error.wire_bytes
                self.counts += Counts(wire_bytes=error.wire_bytes)
                raise FaultError(_fault_of(error)) from None
            self._judge(host, slot, reply)
        sent.seconds = time.monotonic() - began
        sent.wire_bytes += reply.wire_bytes
        self.counts += Counts(wire_bytes=reply.wire_bytes)
        return reply

    async def probe(self, target: Target, token: SecretStr, seconds: float | None) -> Fault | None:
        """Send one request outside of all slots, to see whether the host answers; return its fault.

        It may take so many seconds; None for the limit of any call.
        """
        longest = self._longest(target.call)
        self.counts += Counts(calls=1, retries=1)
        try:
            most = longest if seconds is None else min(seconds, longest)
            reply = await self._send(target, token, most)
        except NoReplyError as error:
            self.counts += Counts(wire_bytes=error.wire_bytes)
            return fault_of_silence(error)
        self.counts += Counts(wire_bytes=reply.wire_bytes)
        fault = fault_of_reply(reply)
        if fault is None:
            return None
        if fault.retry_after:
            target.host.limiter.hold(fault.retry_after)
        return None if is_answer(fault) else fault

    def _longest(self, call: Call) -> float:
        return max(self._limits.request_timeout.total_seconds(), call.patience)

    async def _send(self, target: Target, token: SecretStr, seconds: float) -> Reply:
        call = target.call
        return await self._transport.send(
            call_url(target.base, call),
            timeout=seconds,
            max_bytes=call.most_bytes or self._limits.max_page_bytes,
            token=token,
            headers=dict(call.headers),
            method=call.method,
            redirects=call.redirects,
            any_body=call.any_body or call.method == "HEAD",
        )

    def _judge(self, host: Host, slot: Slot, reply: Reply) -> None:
        """Report an answer to the host's limiter and watch."""
        fault = fault_of_reply(reply)
        if reply.status in THROTTLED_STATUSES:
            self.counts += Counts(throttled=1)
        if fault is not None and says_too_large(fault):
            pass  # Even if it is a 429, it is not about the rate of calls.
        elif reply.status in THROTTLED_STATUSES:
            if reply.status == 429:
                slot.refused()
            else:
                slot.overloaded()
            wait = parse_retry_after(reply.retry_after)
            if wait is not None:
                host.limiter.hold(wait)
        elif reply.status < 500:
            slot.good()
        if is_answer(fault):
            host.watch.answered()


def _fault_of(error: NoReplyError) -> Fault:
    fault = fault_of_silence(error)
    began = error.trouble == "timeout" and error.wire_bytes > 0
    return replace(fault, reason=STALLED) if began else fault
