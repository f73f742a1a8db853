"""One page, wherever it comes from: stored by an earlier attempt, or asked for, decoded, written.

Resuming is nothing but this: a run that is taken up again makes the same crawl, and every page
that an earlier attempt stored is answered from the journal instead of by the API.

The way of a page: `start` reserves memory for it, asks for it and decodes it; it is awaited in its
turn; `write` hands its rows over, and its memory with them until they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from exporter.crawl import not_found
from exporter.crawl.decoders import Decoders
from exporter.crawl.memory import MemoryBudget, MemoryReservation
from exporter.crawl.not_found import Caller
from exporter.crawl.page_store import PageStore
from exporter.crawl.pending import Fetched, PageRequest, PendingPage
from exporter.crawl.progress import Progress
from exporter.http.types import Answer, Received
from exporter.page import PageKey, StoredPage

P = TypeVar("P")

PAGE_BYTES_IN_FLIGHT = 48 * 1024 * 1024
"""Bodies of large pages that may be under way, decoded or waiting to be written at once.

Some thirty pages of a thousand images, a hundred of the usual shorter ones: more than come in the
time that a call takes, so that more of them under way would only wait in memory.
"""
FULL_PAGE_BYTES = 1_850_000
"""A page of a thousand images, as measured: the size of any until the first have come."""
OTHER_BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""The same of all other pages, which do not wait for those: small ones, because they find work, and
stored ones, because pages that were asked for and cut wait for them."""
_LEARNING = 0.1


@dataclass(frozen=True)
class Cost:
    """What was sent and received for a page, or several: requests, and bytes as they travelled.

    `throttled` requests, of whatever page, were answered with 429 or 503 since the page before.
    """

    calls: int
    wire_bytes: int
    throttled: int
    pages: int = 1

    def __add__(self, more: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(
            self.calls + more.calls,
            self.wire_bytes + more.wire_bytes,
            self.throttled + more.throttled,
            self.pages + more.pages,
        )


class PagePipeline:
    """Gets pages, in whatever order they are asked for, and hands over what is in them.

    `large` and `small` bound the bytes of pages in flight; `small` is for pages that none of the
    large ones may keep waiting.
    """

    def __init__(
        self, client: Caller, store: PageStore, progress: Progress, decoders: Decoders
    ) -> None:
        self.large = MemoryBudget(PAGE_BYTES_IN_FLIGHT, FULL_PAGE_BYTES)
        self.small = MemoryBudget(OTHER_BYTES_IN_FLIGHT)
        self._client = client
        self._store = store
        self._progress = progress
        self._decoders = decoders
        self._call_seconds = 0.0  # What a call for a large page takes, on average over the latest.
        self._throttled = 0  # As far as pages have told of it.

    @property
    def behind(self) -> bool:
        """Whether what has come will not be decoded before another call is answered.

        Then more calls at once win nothing.
        """
        return self._decoders.backlog > self._call_seconds

    def stored(self, key: PageKey) -> StoredPage | None:
        """Return the page that an earlier attempt stored under a key."""
        return self._store.stored(key)

    def start(self, request: PageRequest[P]) -> PendingPage[P]:
        """Begin to get a large page, unless an earlier attempt has stored it."""
        stored = self.stored(request.key)
        if stored is not None and stored.body is None and not stored.sealed:
            stored = None
        return PendingPage(request, stored, self._fetch)

    async def _fetch(self, pending: PendingPage[P]) -> Fetched[P]:
        request = pending.request
        reservation = await self.large.reserve(request.pages_left())

        async def decode(received: Received) -> P:
            reservation.resize(len(received.body))
            cursor, last = request.peek(received)
            pending.shows(cursor)
            weight = 0.0 if last else request.pages_left()  # Nothing waits for a last page.
            page = await self.decode(request.decode, received.body, weight=weight)
            await pending.turn.wait()
            request.check(page)
            return page

        try:
            answer = await not_found.get(
                self._client,
                request.call,
                decode,
                waits=request.not_found_waits,
                weight=request.pages_left(),
                sent=pending.sent,
            )
        except BaseException:
            reservation.release()
            raise
        return Fetched(answer, reservation)

    async def arrived(self, pending: PendingPage[P]) -> Fetched[P]:
        """Wait for a page that was asked for, in its turn; raises `ApiError` and `Dropped`."""
        fetched = await pending.fetched()
        self._call_seconds += (fetched.answer.seconds - self._call_seconds) * _LEARNING
        return fetched

    async def decode(self, work: Callable[[bytes], P], body: bytes, *, weight: float) -> P:
        """Return what `work` makes of a body in a decoding thread, or raise what it raises."""
        return await self._decoders.run(work, body, weight=weight)

    async def write(
        self,
        reservation: MemoryReservation,
        key: PageKey,
        summary: bytes,
        body: bytes,
        rows: Mapping[str, pa.Table],
        *,
        inline: bool = False,
    ) -> None:
        """Hand a page over to the store, and its bytes in flight until they are written.

        `rows` are by table, `summary` is what a resumed run is told of the page instead of its
        body. With `inline` the body is kept as long as the run is unfinished. Raises `OutputError`.
        """
        self._decoders.handed_over()
        try:
            await self._store.keep(
                key, summary, body, rows, inline=inline, written=partial(self._written, reservation)
            )
        except BaseException:
            self._decoders.written()
            raise
        reservation.keep_until_written()

    def _written(self, reservation: MemoryReservation) -> None:
        self._decoders.written()
        reservation.release()

    def cost(self, answer: Answer[Any]) -> Cost:
        """Return what an answer has cost, and count its page."""
        self._progress.pages += 1
        before, self._throttled = self._throttled, self._client.counts.throttled
        return Cost(answer.calls, answer.wire_bytes, self._throttled - before)

    def count_stored(self, cost: Cost) -> None:
        """Count a page that was not asked for, with what it has cost an earlier attempt."""
        self._progress.pages += cost.pages
        self._progress.recalled_pages += cost.pages
        self._progress.calls_before += cost.calls
        self._progress.retries_before += max(cost.calls - cost.pages, 0)
        self._progress.throttled_before += cost.throttled
        self._progress.wire_bytes_before += cost.wire_bytes

    def count_rows(self, *, images: int, layers: int) -> None:
        """Count the rows of a page that was handed over."""
        self._progress.images += images
        self._progress.layers += layers
