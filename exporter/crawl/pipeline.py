"""The way of one page: stored by an earlier attempt, or asked for, decoded and written.

Resuming is a replay: a resumed run makes the same crawl, and the journal answers for every page
that an earlier attempt stored.

`start` reserves memory for a page, asks for it and decodes it. The task awaits it in its turn.
`write` hands its rows to the store, and with them its memory until they are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import orjson
import pyarrow as pa

from exporter.crawl import not_found
from exporter.crawl.call_times import CallTimes
from exporter.crawl.decoders import Decoders
from exporter.crawl.memory import MemoryBudget, MemoryReservation
from exporter.crawl.not_found import Caller
from exporter.crawl.page_store import PageStore
from exporter.crawl.pending import Fetched, PageRequest, PendingPage
from exporter.crawl.progress import Progress
from exporter.http.types import Answer, Call, Received
from exporter.page import PageKey, StoredPage

P = TypeVar("P")

PAGE_BYTES_IN_FLIGHT = 48 * 1024 * 1024
"""The most bytes of large pages that are under way, decoded or waiting to be written at once.

These are some thirty pages of a thousand images, or a hundred of the usual shorter ones: more than
come in the time of a call, so more of them would only wait in memory.
"""
FULL_PAGE_BYTES = 1_850_000
"""The measured size of a page of a thousand images; any page counts as much until the first have
come."""
OTHER_BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""The same for all other pages, which do not wait for large ones: small pages, because they lead to
further calls, and stored ones, because pages that were cut wait for them."""


@dataclass(frozen=True)
class Cost:
    """The cost of a page, or of several: requests, and bytes as they were sent.

    `throttled` counts the requests, for any page, that were answered with 429 or 503 since the page
    before. `misses` counts what was asked for and did not come.
    """

    calls: int
    wire_bytes: int
    throttled: int
    pages: int = 1
    misses: int = 0

    @property
    def retries(self) -> int:
        """How many of the requests repeat another one."""
        return max(self.calls - self.pages - self.misses, 0)

    def __add__(self, more: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(
            self.calls + more.calls,
            self.wire_bytes + more.wire_bytes,
            self.throttled + more.throttled,
            self.pages + more.pages,
            self.misses + more.misses,
        )


class PagePipeline:
    """Gets pages, in any order, and hands their rows over.

    `large` and `small` bound the bytes of pages in flight; `small` is for pages that must not wait
    for the large ones.
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
        self._calls = CallTimes()
        self._throttled = 0  # The part that pages have reported.

    @property
    def behind(self) -> bool:
        """Whether more calls at once save no time.

        The bodies that have come take longer to decode than another call, or the host has as many
        calls as it can work on.
        """
        return self._decoders.backlog > self._calls.average or self._calls.are_queueing

    @property
    def fastest_call(self) -> float:
        """Seconds that the fastest call for a large page took; infinite before the first."""
        return self._calls.fastest

    def decoding_seconds(self, page_bytes: float) -> float:
        """Return how long it takes to decode so many bytes (`Decoders.seconds_for`)."""
        return self._decoders.seconds_for(page_bytes)

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt stored any page."""
        return self._store.kept_before > 0

    def stored(self, key: PageKey) -> StoredPage | None:
        """Return the page that an earlier attempt stored under a key."""
        return self._store.stored(key)

    async def kept(
        self,
        call: Call,
        key: PageKey,
        *,
        decode: Callable[[bytes], P],
        check: Callable[[P], None],
        rows: Callable[[P], Mapping[str, pa.Table]],
        not_found_waits: Sequence[float] = (),
    ) -> tuple[P, int]:
        """Get and write a small page whose body is kept until the run ends.

        Returns the page and its number of calls. The page leads to further calls, so it goes before
        all large pages, and a resumed run decodes it again. `rows` makes the rows to write, by
        table. The others are as in `PageRequest`, except that `decode` runs in the event loop.
        Raises `ApiError` and `OutputError`.
        """
        stored = self.stored(key)
        if stored is not None and stored.body is not None:
            page = decode(stored.body)
            if not stored.sealed:
                with await self.small.reserve(0.0) as reservation:
                    reservation.resize(len(stored.body))
                    await self.write(
                        reservation, key, stored.summary, stored.body, rows(page), inline=True
                    )
            cost = Cost(**orjson.loads(stored.summary))
            self.count_stored(cost)
            return page, cost.calls

        async def checked(received: Received) -> P:
            page = decode(received.body)
            check(page)
            return page

        with await self.small.reserve(0.0) as reservation:
            answer = await not_found.get(
                self._client, call, checked, waits=not_found_waits, weight=math.inf
            )
            reservation.resize(len(answer.body))
            summary = orjson.dumps(self.cost(answer))
            await self.write(reservation, key, summary, answer.body, rows(answer.page), inline=True)
            return answer.page, answer.calls

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
        self._calls.note(fetched.answer.seconds, len(fetched.answer.body))
        return fetched

    async def decode(self, work: Callable[[bytes], P], body: bytes, *, weight: float) -> P:
        """Return the result of `work` for a body, in a decoding thread, or raise its error."""
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
        """Hand a page over to the store, with its memory until it is written.

        `rows` are by table. `summary` is stored for a resumed run, which may not have the body.
        With `inline` the body is kept until the run ends. Raises `OutputError`.
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
        """Return the cost of an answer, and count its page."""
        self._progress.pages += 1
        before, self._throttled = self._throttled, self._client.counts.throttled
        return Cost(answer.calls, answer.wire_bytes, self._throttled - before)

    def count_stored(self, cost: Cost) -> None:
        """Count a stored page, with its cost in an earlier attempt."""
        self._progress.pages += cost.pages
        self._progress.recalled_pages += cost.pages
        self._progress.calls_before += cost.calls
        self._progress.retries_before += cost.retries
        self._progress.throttled_before += cost.throttled
        self._progress.wire_bytes_before += cost.wire_bytes

    def count_rows(self, *, images: int, layers: int) -> None:
        """Count the rows of a page that was handed over."""
        self._progress.images += images
        self._progress.layers += layers
