"""The pages of the list API: how each kind is asked for, decoded and written.

Pages of images come in two steps: `arrived` returns a page, so that the caller can decide about its
rows, and `write` writes the remaining rows.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import orjson
import pyarrow as pa

from exporter.crawl import not_found
from exporter.crawl.not_found import Caller
from exporter.crawl.page_store import key_of
from exporter.crawl.pending import Dropped, Fetched, PageRequest, Peek, PendingPage
from exporter.crawl.pipeline import Cost, PagePipeline
from exporter.errors import FlawedPageError, PageError
from exporter.http.types import Answer, Call, PageT, Received
from exporter.page import StoredPage
from exporter.sources.cloud.decode.images import ImagesPage, decode_images
from exporter.sources.cloud.decode.order import RowFilter
from exporter.sources.cloud.decode.pages import has_token, shown_token
from exporter.sources.cloud.decode.resources import Parents, ResourcesPage, decode_resources
from exporter.sources.cloud.decode.sample import SamplePage, decode_sample
from exporter.sources.cloud.summary import Decided, Images, Seen, from_json, to_json
from exporter.tables.columns import Table

NOT_FOUND_WAITS = (0.25, 0.5, 1.0)
"""Seconds before each repetition of a call that the API itself answered with 404. A 404 alone does
not prove that the resource is gone (`doubts`)."""

TokenCheck = Callable[[str], None]
"""Raises `PageError` for a next page's token that the listing was given before, so that the page is
asked for again."""


@dataclass(frozen=True)
class ImagesDecoder:
    """Decodes bodies into pages of images; `wanted` decides by repository name what is in scope."""

    parents: Parents
    wanted: Callable[[str], bool] | None

    def without(self, cut: RowFilter | None, call: Call) -> Callable[[bytes], ImagesPage]:
        """Return what makes a page of the body of `call`, but for the rows that are `cut`."""
        return partial(
            decode_images,
            cloud_id=self.parents.cloud_id,
            folder_id=self.parents.folder_id,
            wanted=self.wanted,
            cut=cut,
            scope=call.scope,
        )


@dataclass(frozen=True)
class Resources:
    """A page of clouds, folders, registries or repositories, and the calls it took."""

    page: ResourcesPage
    calls: int


class ArrivedPage:
    """A page of images that has come, or was stored by an earlier attempt, and is not written yet.

    `seen` is what it shows, None where no image is on it; `before` is what an earlier attempt has
    decided about it. `page` has the rows of one that has come, but for those that are `cut`.
    `calls` were sent for it. A context manager: at its end the page's memory is given back, unless
    it was written.
    """

    def __init__(
        self,
        request: PageRequest[ImagesPage],
        decoder: ImagesDecoder,
        *,
        seen: Seen | None,
        fetched: Fetched[ImagesPage] | None = None,
        stored: StoredImages | None = None,
    ) -> None:
        self.request = request
        self.decoder = decoder
        self.seen = seen
        self.fetched = fetched
        self.stored = stored
        self.page = fetched.answer.page if fetched else None
        self.cut: RowFilter | None = None
        self.calls = fetched.answer.calls if fetched else 0

    @property
    def before(self) -> Decided | None:
        """What an earlier attempt has cut from the page; None where none has stored it."""
        return Decided(self.stored.summary.cut) if self.stored else None

    def __enter__(self) -> Self:
        """Return the page itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the page's memory back, and say what it took where it is not wanted any more."""
        if isinstance(error, Dropped):
            error.calls = self.calls
        if self.fetched is not None:
            self.fetched.reservation.__exit__(kind, error, trace)


@dataclass(frozen=True)
class StoredImages:
    """A page of images that an earlier attempt has stored, and what it wrote down about it."""

    page: StoredPage
    summary: Images


class Pages:
    """Gets the pages of the list API, in whatever order they are asked for."""

    def __init__(self, client: Caller, pipeline: PagePipeline) -> None:
        self._client = client
        self._pipeline = pipeline

    @property
    def behind(self) -> bool:
        """Whether more calls at once would save no time (`PagePipeline.behind`)."""
        return self._pipeline.behind

    def is_stored(self, call: Call, attempt: int) -> bool:
        """Return whether an earlier attempt stored a page, so that it is not asked for again."""
        return self._pipeline.stored(key_of(call, attempt)) is not None

    async def resources(
        self,
        call: Call,
        attempt: int,
        table: Table,
        parents: Parents,
        stage: Callable[[ResourcesPage], Mapping[str, pa.Table]],
        check: TokenCheck,
    ) -> Resources:
        """Get a page of small resources; raises `ApiError` and `OutputError`.

        `stage` decides which of its rows go to the parts at once. The page's body is kept until the
        run ends, because its items are needed for the next calls.
        """
        pipeline, key = self._pipeline, key_of(call, attempt)
        stored = pipeline.stored(key)
        if stored is not None and stored.body is not None:
            page = decode_resources(stored.body, table, parents, call.scope)
            if not stored.sealed:
                with await pipeline.small.reserve(0.0) as reservation:
                    reservation.resize(len(stored.body))
                    rows = stage(page)
                    await pipeline.write(
                        reservation, key, stored.summary, stored.body, rows, inline=True
                    )
            cost = Cost(**orjson.loads(stored.summary))
            pipeline.count_stored(cost)
            return Resources(page, cost.calls)
        # Its items lead to further work, so it goes before all pages of images.
        with await pipeline.small.reserve(0.0) as reservation:
            answer = await self._ask(call, partial(_resources, call, table, parents, check))
            reservation.resize(len(answer.body))
            summary = orjson.dumps(pipeline.cost(answer))
            rows = stage(answer.page)
            await pipeline.write(reservation, key, summary, answer.body, rows, inline=True)
            return Resources(answer.page, answer.calls)

    async def look(self, call: Call, table: Table, check: TokenCheck) -> tuple[ResourcesPage, int]:
        """Get a page of small resources only for its ids, and the number of calls."""

        async def decode(received: Received) -> ResourcesPage:
            page = decode_resources(received.body, table, Parents(), call.scope)
            check(page.next_token)
            if page.lost:
                raise PageError(page.doubt)
            _refuse_flaws(page)
            return page

        answer = await self._ask(call, decode)
        return answer.page, answer.calls

    async def sample(self, call: Call, check: TokenCheck) -> tuple[SamplePage, int]:
        """Get a page of images without writing it, and the number of calls; raises `ApiError`."""

        async def decode(received: Received) -> SamplePage:
            page = await self._pipeline.decode(decode_sample, received.body, weight=math.inf)
            check(page.next_token)
            _refuse_flaws(page)
            return page

        with await self._pipeline.large.reserve(math.inf) as reservation:
            answer = await self._ask(call, decode)
            reservation.resize(len(answer.body))
            return answer.page, answer.calls

    async def _ask(
        self, call: Call, decode: Callable[[Received], Awaitable[PageT]]
    ) -> Answer[PageT]:
        return await not_found.get(
            self._client, call, decode, waits=NOT_FOUND_WAITS, weight=math.inf
        )

    def start(self, request: PageRequest[ImagesPage]) -> PendingPage[ImagesPage]:
        """Begin to get a page of images, unless an earlier attempt has stored it."""
        return self._pipeline.start(request)

    async def arrived(
        self, pending: PendingPage[ImagesPage], decoder: ImagesDecoder
    ) -> ArrivedPage:
        """Wait for a page of images, in its turn; raises `ApiError` and `Dropped`.

        `decoder` is what the page was asked for with.
        """
        request, kept = pending.request, pending.stored
        if kept is not None:
            stored = StoredImages(kept, from_json(kept.summary))
            return ArrivedPage(request, decoder, seen=_seen(stored.summary), stored=stored)
        fetched = await self._pipeline.arrived(pending)
        seen = _seen(fetched.answer.page, fetched.answer.seconds)
        return ArrivedPage(request, decoder, seen=seen, fetched=fetched)

    async def cut(self, arrived: ArrivedPage, cut: RowFilter) -> None:
        """Take rows out of a page that was asked for; a stored one is cut as it was before."""
        if arrived.fetched is None:
            return
        decode = arrived.decoder.without(cut, arrived.request.call)
        body = arrived.fetched.answer.body
        arrived.page = await self._pipeline.decode(decode, body, weight=math.inf)
        arrived.cut = cut

    async def write(self, arrived: ArrivedPage) -> Images:
        """Hand the rows of a page over, but for those that are cut; raises `OutputError`."""
        if arrived.fetched is None or arrived.page is None:
            return await self._write_stored(arrived)
        pipeline, request = self._pipeline, arrived.request
        answer, page = arrived.fetched.answer, arrived.page
        summary = Images(
            listed=page.listed,
            rows=page.images.num_rows,
            layers=page.layers.num_rows,
            names=page.names,
            nameless=page.nameless,
            order=page.order,
            ids=page.ids,
            cut=arrived.cut,
            next_token=page.next_token,
            cost=pipeline.cost(answer),
            sketch=page.sketch,
            lost=page.lost,
        )
        await pipeline.write(
            arrived.fetched.reservation, request.key, to_json(summary), answer.body, _tables(page)
        )
        pipeline.count_rows(images=summary.rows, layers=summary.layers)
        return summary

    async def _write_stored(self, arrived: ArrivedPage) -> Images:
        """Write a stored page again, if its rows are in no finished part."""
        pipeline, request, stored = self._pipeline, arrived.request, arrived.stored
        if stored is None:
            raise RuntimeError("the page has neither come nor was it stored")
        page, summary = stored.page, stored.summary
        if not page.sealed and page.body is not None:
            with await pipeline.small.reserve(0.0) as reservation:
                reservation.resize(len(page.body))
                decode = arrived.decoder.without(summary.cut, request.call)
                decoded = await pipeline.decode(decode, page.body, weight=request.pages_left())
                rows = _tables(decoded)
                await pipeline.write(reservation, request.key, page.summary, page.body, rows)
        pipeline.count_stored(summary.cost)
        pipeline.count_rows(images=summary.rows, layers=summary.layers)
        return summary


def images_request(
    call: Call,
    attempt: int,
    decoder: ImagesDecoder,
    *,
    check: TokenCheck,
    pages_left: Callable[[], float],
    follow: Callable[[str], None] = lambda _: None,
) -> PageRequest[ImagesPage]:
    """Return the request for a page of images.

    `attempt` tells apart the pages of a listing that had to be begun anew. The others are as for
    `PageRequest`, with the next page's token as the cursor.
    """
    return PageRequest(
        call,
        key_of(call, attempt),
        decode=decoder.without(None, call),
        check=partial(_check_images, check),
        pages_left=pages_left,
        peek=_peek,
        follow=follow,
        not_found_waits=NOT_FOUND_WAITS,
    )


def _peek(received: Received) -> Peek:
    token = shown_token(received.body)
    # It takes long to look for a token that is not shown.
    return Peek(token, last=not (token or has_token(received.body)))


def _seen(page: ImagesPage | Images, seconds: float | None = None) -> Seen | None:
    if page.order is None:
        return None
    return Seen(page.order, tuple(page.names), page.ids, seconds)


async def _resources(
    call: Call, table: Table, parents: Parents, check: TokenCheck, received: Received
) -> ResourcesPage:
    page = decode_resources(received.body, table, parents, call.scope)
    check(page.next_token)
    _refuse_flaws(page)
    return page


def _check_images(check: TokenCheck, page: ImagesPage) -> None:
    check(page.next_token)
    _refuse_flaws(page)


def _refuse_flaws(page: ImagesPage | ResourcesPage | SamplePage) -> None:
    """Have a page with something that cannot be read asked for again, before it is taken as it is.

    Raises `FlawedPageError`.
    """
    if page.doubt:
        raise FlawedPageError(page.doubt, page)


def _tables(page: ImagesPage) -> dict[str, pa.Table]:
    names = ("images", "layers", "config_blobs", "bad_values")
    return {name: getattr(page, name) for name in names}
