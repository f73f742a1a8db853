"""A page of images: how it is asked for, what it shows, and how its rows are written.

A page comes first, so that the caller can decide about its rows; then it is written without those
that another scan lists.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from exporter.crawl.page_store import key_of
from exporter.crawl.pending import Dropped, Fetched, PageRequest, Peek, PendingPage
from exporter.crawl.pipeline import PagePipeline
from exporter.http.types import Call, Received
from exporter.page import StoredPage
from exporter.sources.cloud.decode.images import ImagesPage, decode_images
from exporter.sources.cloud.decode.order import RowFilter
from exporter.sources.cloud.decode.pages import has_token, shown_token
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.paging import NOT_FOUND_WAITS, TokenCheck, check_page
from exporter.sources.cloud.summary import Decided, Images, Seen, from_json, to_json

_END_BYTES = 16
"""Bytes that the end of a body may take, with its spaces."""


def images_call(parameter: str, scope_id: str, scope: str) -> Call:
    """Return the first call for the images of a scope; `parameter` names the scope's kind."""
    path = "/container-registry/v1/images"
    return Call("container_registry", path, ((parameter, scope_id),), scope)


@dataclass(frozen=True)
class ImagesDecoder:
    """Decodes bodies into pages of images; `wanted` decides by repository name what is in scope."""

    parents: Parents
    wanted: Callable[[str], bool] | None

    def without(self, cut: RowFilter | None, call: Call) -> Callable[[bytes], ImagesPage]:
        """Return a function that decodes a body of `call`, without the rows that are `cut`."""
        return partial(
            decode_images,
            cloud_id=self.parents.cloud_id,
            folder_id=self.parents.folder_id,
            wanted=self.wanted,
            cut=cut,
            scope=call.scope,
        )


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

    `attempt` tells apart the pages of a listing that had to begin again. The others are as for
    `PageRequest`, with the next page's token as the cursor.
    """
    return PageRequest(
        call,
        key_of(call, attempt),
        decode=decoder.without(None, call),
        check=partial(check_page, check),
        pages_left=pages_left,
        peek=_peek,
        follow=follow,
        not_found_waits=NOT_FOUND_WAITS,
    )


class FetchedImages:
    """A page of images that the API has sent, and that is not written yet.

    `seen` is what it shows, None if no image is on it. `before` is always None: no earlier attempt
    has decided about the page.
    """

    before = None

    def __init__(
        self,
        pipeline: PagePipeline,
        request: PageRequest[ImagesPage],
        decoder: ImagesDecoder,
        fetched: Fetched[ImagesPage],
    ) -> None:
        answer = fetched.answer
        self.seen = _seen(answer.page, answer.seconds, len(answer.body))
        self._pipeline = pipeline
        self._request = request
        self._decoder = decoder
        self._fetched = fetched
        self._page = fetched.answer.page
        self._cut: RowFilter | None = None

    async def cut(self, cut: RowFilter) -> None:
        """Leave out the rows that other scans list."""
        page = self._page
        if page.bad_values.num_rows or not set(cut.but_not).issuperset(page.ids):
            decode = self._decoder.without(cut, self._request.call)
            body = self._fetched.answer.body
            self._page = await self._pipeline.decode(decode, body, weight=math.inf)
        else:
            self._page = page.without_rows()
        self._cut = cut

    async def write(self) -> Images:
        """Hand over the rows that are not cut; raises `OutputError`."""
        answer, page = self._fetched.answer, self._page
        summary = Images(
            listed=page.listed,
            rows=page.images.num_rows,
            layers=page.layers.num_rows,
            names=page.names,
            nameless=page.nameless,
            order=page.order,
            ids=page.ids,
            cut=self._cut,
            next_token=page.next_token,
            cost=self._pipeline.cost(answer),
            sketch=page.sketch,
            lost=page.lost,
        )
        await self._pipeline.write(
            self._fetched.reservation,
            self._request.key,
            to_json(summary),
            answer.body,
            _tables(page),
        )
        self._pipeline.count_rows(images=summary.rows, layers=summary.layers)
        return summary


class StoredImages:
    """A page of images that an earlier attempt stored, with what it decided then.

    `seen` is what it shows, None if no image is on it. `before` is what was cut from it.
    """

    def __init__(
        self,
        pipeline: PagePipeline,
        request: PageRequest[ImagesPage],
        decoder: ImagesDecoder,
        page: StoredPage,
    ) -> None:
        self._summary = from_json(page.summary)
        self.seen = _seen(self._summary)
        self.before = Decided(self._summary.cut)
        self._pipeline = pipeline
        self._request = request
        self._decoder = decoder
        self._page = page

    async def write(self) -> Images:
        """Hand the rows over again if they are in no finished part; raises `OutputError`."""
        pipeline, request, page = self._pipeline, self._request, self._page
        summary = self._summary
        if not page.sealed and page.body is not None:
            with await pipeline.small.reserve(0.0) as reservation:
                reservation.resize(len(page.body))
                decode = self._decoder.without(summary.cut, request.call)
                decoded = await pipeline.decode(decode, page.body, weight=request.pages_left())
                rows = _tables(decoded)
                await pipeline.write(reservation, request.key, page.summary, page.body, rows)
        pipeline.count_stored(summary.cost)
        pipeline.count_rows(images=summary.rows, layers=summary.layers)
        return summary


@asynccontextmanager
async def arrived(
    pipeline: PagePipeline, pending: PendingPage[ImagesPage], decoder: ImagesDecoder
) -> AsyncIterator[FetchedImages | StoredImages]:
    """Wait for a page, in its turn; at the block's end its memory is free, unless it was written.

    `decoder` is the one that the page was asked for with. Raises `ApiError` and `Dropped`, which
    says how many calls a page took that the block drops.
    """
    if pending.stored is not None:
        yield StoredImages(pipeline, pending.request, decoder, pending.stored)
        return
    fetched = await pipeline.arrived(pending)
    with fetched.reservation:
        try:
            yield FetchedImages(pipeline, pending.request, decoder, fetched)
        except Dropped as dropped:
            dropped.calls = fetched.answer.calls
            raise


def _peek(received: Received) -> Peek:
    body = received.body
    token = shown_token(body)
    # Nothing follows the images of most last pages, and it takes long to look for a token.
    ends = b"".join(body[-_END_BYTES:].split()).endswith(b"]}")
    return Peek(token, last=not token and (ends or not has_token(body)))


def _seen(page: ImagesPage | Images, seconds: float | None = None, size: int = 0) -> Seen | None:
    if page.order is None:
        return None
    return Seen(page.order, tuple(page.names), page.ids, seconds, size)


def _tables(page: ImagesPage) -> dict[str, pa.Table]:
    names = ("images", "layers", "config_blobs", "bad_values", "doubtful_sizes")
    return {name: getattr(page, name) for name in names}
