"""What an API does not find is asked for again: a replica of its store may be behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from exporter.errors import StatusError, is_not_found
from exporter.http.types import Answer, Call, Counts, PageT, Received, Sent

log = structlog.get_logger()


class Caller(Protocol):
    """The part of `http.Client` that gets pages."""

    @property
    def counts(self) -> Counts:
        """What was sent and received so far."""
        ...

    async def get(
        self,
        call: Call,
        decode: Callable[[Received], Awaitable[PageT]],
        *,
        weight: float = 0.0,
        sent: Sent | None = None,
    ) -> Answer[PageT]:
        """Return a call's answer, with the page that `decode` makes of its body and headers."""
        ...


async def get(
    client: Caller,
    call: Call,
    decode: Callable[[Received], Awaitable[PageT]],
    *,
    waits: Sequence[float],
    weight: float,
    sent: Sent | None = None,
) -> Answer[PageT]:
    """Get an answer as `Client.get` does; a 404 of the API's own is believed at the last attempt.

    `waits` are the seconds before the call is sent again, each time.
    """
    sent = sent or Sent()
    for wait in waits:
        try:
            return await client.get(call, decode, weight=weight, sent=sent)
        except StatusError as error:
            if not is_not_found(error):
                raise
            log.info("not_found", scope=error.scope, request_id=error.request_id, wait=wait)
        await asyncio.sleep(wait)
    return await client.get(call, decode, weight=weight, sent=sent)
