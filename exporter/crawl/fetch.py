"""One page, wherever it comes from: recalled from staging, or asked for, decoded and kept.

Resuming is nothing but this: a run that is taken up again makes the same crawl, and every page
that an earlier attempt kept is answered from the journal instead of by the cloud.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pyarrow as pa

from exporter.api import Answer, Call, Client
from exporter.crawl.budget import Budget, Held
from exporter.crawl.decoders import Decoders
from exporter.crawl.keeper import Keeper
from exporter.crawl.pages import Cost, Decided, Dropped, Images, Judge, Seen, from_json, to_json
from exporter.crawl.progress import Progress
from exporter.tables.images import ImagesPage, decode_images
from exporter.tables.order import Cut
from exporter.tables.resources import Parents, ResourcesPage, decode_resources
from exporter.tables.sample import SamplePage, decode_sample
from exporter.tables.schemas import Table

PAGE_BYTES_IN_FLIGHT = 96 * 1024 * 1024
"""Bodies of pages of images that may be under way, decoded or waiting to be written at once.

Where calls are slow, that is more pages than there are slots; where the processor is what limits,
more of them under way would only wait in memory.
"""
OTHER_BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""The same of all other pages, which do not wait for those: small ones, because they find work, and
recalled ones, because pages that were asked for and cut wait for them."""


@dataclass(frozen=True)
class Resources:
    """A page of clouds, folders, registries or repositories, and the calls it took."""

    page: ResourcesPage
    calls: int


_LEARNING = 0.1

TokenCheck = Callable[[str], None]
"""Raises `PageError` for a next page's token that the listing was given before, so that the page is
asked for again."""


class Fetcher:
    """Gets pages, in whatever order they are asked for."""

    def __init__(
        self, client: Client, keeper: Keeper, progress: Progress, decoders: Decoders
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._progress = progress
        self._decoders = decoders
        self._budget = Budget(PAGE_BYTES_IN_FLIGHT)
        self._other_budget = Budget(OTHER_BYTES_IN_FLIGHT)
        self._call_seconds = 0.0  # What a call for images takes, on average over the latest.
        self._throttled = 0  # As far as pages have told of it.

    @property
    def behind(self) -> bool:
        """Whether what has come will not be decoded before another call is answered.

        Then more calls at once win nothing.
        """
        return self._decoders.backlog > self._call_seconds

    def is_kept(self, call: Call, attempt: int) -> bool:
        """Say whether a page will be recalled instead of being asked for."""
        return self._keeper.recall(_key(call, attempt)) is not None

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

        `stage` says which rows of it go to the parts at once. The page's body is kept as long as
        the run is unfinished, because its items say what to ask next.
        """
        key = _key(call, attempt)
        recalled = self._keeper.recall(key)
        if recalled is not None and recalled.body is not None:
            page = decode_resources(recalled.body, table, parents)
            if not recalled.sealed:
                async with self._other_budget.page(0.0) as held:
                    held.weigh(len(recalled.body))
                    rows = stage(page)
                    await self._hand_over(
                        held, key, recalled.summary, recalled.body, rows, inline=True
                    )
            cost = Cost(**orjson.loads(recalled.summary))
            self._count_recalled(cost)
            return Resources(page, cost.calls)

        async def decode(body: bytes) -> ResourcesPage:
            page = decode_resources(body, table, parents)
            check(page.next_token)
            return page

        # What is found by it is what else there is to do, so it goes before all pages of images.
        async with self._other_budget.page(0.0) as held:
            answer = await self._client.get(call, decode, weight=math.inf)
            held.weigh(len(answer.body))
            self._progress.pages += 1
            summary = orjson.dumps(self._cost(answer))
            rows = stage(answer.page)
            await self._hand_over(held, key, summary, answer.body, rows, inline=True)
            return Resources(answer.page, answer.calls)

    async def images(
        self,
        call: Call,
        attempt: int,
        parents: Parents,
        wanted: Callable[[str], bool] | None,
        judge: Judge,
        check: TokenCheck,
        ready: Callable[[], Awaitable[None]],
        weight: Callable[[], float],
    ) -> Images:
        """Get a page of images and send its rows on; raises `ApiError`, `OutputError`, `Dropped`.

        `weight` tells the pages that may come after it: of calls and of bodies that wait, the
        largest goes first.
        `attempt` tells apart the pages of a listing that had to be begun anew. A page that was
        cut is handed over once what it was cut for is `ready`: handed over, and so kept, before.
        """
        key = _key(call, attempt)

        async def decode(body: bytes, cut: Cut | None = None) -> ImagesPage:
            work = partial(
                decode_images,
                cloud_id=parents.cloud_id,
                folder_id=parents.folder_id,
                wanted=wanted,
                cut=cut,
            )
            page = await self._decoders.run(work, body, weight=weight())
            check(page.next_token)
            return page

        recalled = self._keeper.recall(key)
        if recalled is not None and (recalled.sealed or recalled.body is not None):
            summary = from_json(recalled.summary)
            if summary.order is not None:
                seen = Seen(summary.order, tuple(summary.names), summary.listed)
                judge(seen, Decided(summary.cut))
            if not recalled.sealed and recalled.body is not None:
                async with self._other_budget.page(0.0) as held:
                    held.weigh(len(recalled.body))
                    page = await decode(recalled.body, summary.cut)
                    await self._hand_over(held, key, recalled.summary, recalled.body, _tables(page))
            self._count_recalled(summary.cost)
            self._count_rows(summary)
            return summary

        async with self._budget.page(weight()) as held:
            answer: Answer[ImagesPage] = await self._client.get(call, decode, weight=weight())
            held.weigh(len(answer.body))
            self._call_seconds += (answer.seconds - self._call_seconds) * _LEARNING
            page = answer.page
            cut = None
            try:
                if page.order is not None:
                    names = tuple(page.names)
                    cut = judge(Seen(page.order, names, page.listed, answer.seconds), None)
            except Dropped as dropped:
                dropped.calls = answer.calls
                raise
            if cut is not None:
                page = await decode(answer.body, cut)
                await ready()
            summary = Images(
                listed=page.listed,
                rows=page.images.num_rows,
                layers=page.layers.num_rows,
                names=page.names,
                nameless=page.nameless,
                order=page.order,
                cut=cut,
                next_token=page.next_token,
                cost=self._cost(answer),
            )
            self._progress.pages += 1
            await self._hand_over(held, key, to_json(summary), answer.body, _tables(page))
            self._count_rows(summary)
            return summary

    async def sample(self, call: Call, check: TokenCheck) -> tuple[SamplePage, int]:
        """Get a page of images only to look at it, and the calls it took; raises `ApiError`."""

        async def decode(body: bytes) -> SamplePage:
            page = await self._decoders.run(decode_sample, body, weight=math.inf)
            check(page.next_token)
            return page

        async with self._budget.page(math.inf) as held:
            answer = await self._client.get(call, decode, weight=math.inf)
            held.weigh(len(answer.body))
            return answer.page, answer.calls

    async def _hand_over(
        self,
        held: Held,
        key: str,
        summary: bytes,
        body: bytes,
        rows: Mapping[str, pa.Table],
        *,
        inline: bool = False,
    ) -> None:
        """Hand a page over to the keeper, and its bytes in flight until they are written."""
        await self._keeper.keep(key, summary, body, rows, inline=inline, written=held.release)
        held.hand_over()

    def _cost(self, answer: Answer[Any]) -> Cost:
        before, self._throttled = self._throttled, self._client.counts.throttled
        return Cost(answer.calls, answer.wire_bytes, self._throttled - before)

    def _count_recalled(self, cost: Cost) -> None:
        self._progress.pages += 1
        self._progress.recalled_pages += 1
        self._progress.calls_before += cost.calls
        self._progress.retries_before += cost.calls - 1
        self._progress.throttled_before += cost.throttled
        self._progress.wire_bytes_before += cost.wire_bytes

    def _count_rows(self, summary: Images) -> None:
        self._progress.images += summary.rows
        self._progress.layers += summary.layers


def _key(call: Call, attempt: int) -> str:
    return f"{call.service}{call.path}?{urlencode(sorted(call.params))}#{attempt}"


def _tables(page: ImagesPage) -> dict[str, pa.Table]:
    return {"images": page.images, "layers": page.layers, "config_blobs": page.config_blobs}
