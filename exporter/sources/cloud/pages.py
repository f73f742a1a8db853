"""The pages of the list API, each kind with the way it is asked for, decoded and written."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

import pyarrow as pa

from exporter.crawl import not_found
from exporter.crawl.not_found import Caller
from exporter.crawl.page_store import key_of
from exporter.crawl.pending import PageRequest, PendingPage
from exporter.crawl.pipeline import PagePipeline
from exporter.errors import PageError
from exporter.http.types import Answer, Call, PageT, Received
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.resources import Parents, ResourcesPage, decode_resources
from exporter.sources.cloud.decode.sample import SamplePage, decode_sample
from exporter.sources.cloud.images import FetchedImages, ImagesDecoder, StoredImages, arrived
from exporter.sources.cloud.paging import NOT_FOUND_WAITS, TokenCheck, check_page
from exporter.tables.columns import Table


class Pages:
    """Gets the pages of the list API, in whatever order they are asked for."""

    def __init__(self, client: Caller, pipeline: PagePipeline) -> None:
        self._client = client
        self._pipeline = pipeline

    @property
    def behind(self) -> bool:
        """Whether more calls at once would save no time (`PagePipeline.behind`)."""
        return self._pipeline.behind

    @property
    def fastest_call(self) -> float:
        """Seconds that a call takes that waits for no other (`PagePipeline.fastest_call`)."""
        return self._pipeline.fastest_call

    def decoding_seconds(self, page_bytes: float) -> float:
        """Return how long it takes to decode so many bytes (`Decoders.seconds_for`)."""
        return self._pipeline.decoding_seconds(page_bytes)

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt stored any page."""
        return self._pipeline.resumes

    def is_stored(self, call: Call, attempt: int) -> bool:
        """Return whether an earlier attempt stored a page, so that it is not asked for again."""
        return self.resumes and self._pipeline.stored(key_of(call, attempt)) is not None

    async def resources(
        self,
        call: Call,
        attempt: int,
        table: Table,
        parents: Parents,
        stage: Callable[[ResourcesPage], Mapping[str, pa.Table]],
        check: TokenCheck,
    ) -> tuple[ResourcesPage, int]:
        """Get a page of small resources, and the number of calls.

        `stage` decides which of its rows go to the parts at once. The page's body is kept until the
        run ends, because its items are needed for the next calls. Raises `ApiError` and
        `OutputError`.
        """
        return await self._pipeline.kept(
            call,
            key_of(call, attempt),
            decode=partial(decode_resources, table=table, parents=parents, scope=call.scope),
            check=partial(check_page, check),
            rows=stage,
            not_found_waits=NOT_FOUND_WAITS,
        )

    async def look(self, call: Call, table: Table, check: TokenCheck) -> tuple[ResourcesPage, int]:
        """Get a page of small resources only for its ids, and the number of calls."""

        async def decode(received: Received) -> ResourcesPage:
            page = decode_resources(received.body, table, Parents(), call.scope)
            if page.lost:
                raise PageError(page.doubt)
            check_page(check, page)
            return page

        answer = await self._ask(call, decode)
        return answer.page, answer.calls

    async def sample(self, call: Call, check: TokenCheck) -> tuple[SamplePage, int]:
        """Get a page of images without writing it, and the number of calls; raises `ApiError`."""

        async def decode(received: Received) -> SamplePage:
            page = await self._pipeline.decode(decode_sample, received.body, weight=math.inf)
            check_page(check, page)
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

    def arrived(
        self, pending: PendingPage[ImagesPage], decoder: ImagesDecoder
    ) -> AbstractAsyncContextManager[FetchedImages | StoredImages]:
        """Wait for a page of images (`images.arrived`)."""
        return arrived(self._pipeline, pending, decoder)
