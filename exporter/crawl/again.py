"""What is asked for again: what is not found, as a replica may be behind, and flawed pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from exporter.api import Answer, Call, Client, Sent
from exporter.api.types import PageT
from exporter.errors import FlawedPageError, StatusError, is_not_found
from exporter.tables.images import ImagesPage
from exporter.tables.resources import ResourcesPage
from exporter.tables.sample import SamplePage

log = structlog.get_logger()

WAITS = (0.25, 0.5, 1.0)
"""Seconds before a call that was answered 404 by the API itself is sent again, each time."""


def refuse_flaws(page: ImagesPage | ResourcesPage | SamplePage) -> None:
    """Have a page with something that cannot be read asked for again, before it is taken as it is.

    Raises `FlawedPageError`.
    """
    if page.doubt:
        raise FlawedPageError(page.doubt, page)


async def get(
    client: Client,
    call: Call,
    decode: Callable[[bytes], Awaitable[PageT]],
    *,
    weight: float,
    sent: Sent | None = None,
) -> Answer[PageT]:
    """Get an answer as `Client.get` does; a 404 is believed once it has come each time.

    Whether what was asked about is gone is not for the API's 404 alone to say (`doubts`).
    """
    sent = sent or Sent()
    for wait in WAITS:
        try:
            return await client.get(call, decode, weight=weight, sent=sent)
        except StatusError as error:
            if not is_not_found(error):
                raise
            log.info("not_found", scope=error.scope, request_id=error.request_id, wait=wait)
        await asyncio.sleep(wait)
    return await client.get(call, decode, weight=weight, sent=sent)
