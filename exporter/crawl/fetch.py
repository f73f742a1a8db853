"""One page, wherever it comes from: recalled from staging, or asked for, decoded and kept.

Resuming is nothing but this: a run that is taken up again makes the same crawl, and every page
that an earlier attempt kept is answered from the journal instead of by the cloud.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pyarrow as pa

from exporter.api import Answer, Call, Client
from exporter.crawl.budget import Budget
from exporter.crawl.decoders import Decoders
from exporter.crawl.keeper import Keeper
from exporter.crawl.progress import Progress
from exporter.tables.images import ImagesPage, decode_images
from exporter.tables.order import Cut, Order, Position
from exporter.tables.resources import Parents, ResourcesPage, decode_resources
from exporter.tables.sample import SamplePage, decode_sample
from exporter.tables.schemas import Table


@dataclass(frozen=True)
class Resources:
    """A page of clouds, folders, registries or repositories, and the calls it took."""

    page: ResourcesPage
    calls: int


@dataclass(frozen=True)
class Cost:
    """What was sent and received for a page: requests, and bytes as they travelled.

    `throttled` requests, of whatever page, were answered with 429 or 503 since the page before.
    """

    calls: int
    wire_bytes: int
    throttled: int


@dataclass(frozen=True)
class Images:
    """What is known of a page of images once its rows are on their way to the parts.

    `listed` images were on the page and `rows` of them kept; `names` are the repositories met, in
    the page's order, with what was kept of each; `nameless` says whether an image is of none;
    `cut` says what was left to another listing.
    """

    listed: int
    rows: int
    layers: int
    names: Mapping[str, int]
    nameless: bool
    order: Order | None
    cut: Cut | None
    next_token: str
    cost: Cost


_LEARNING = 0.1


@dataclass(frozen=True)
class Seen:
    """What a page tells a judge: its order, the repositories on it, and how many images it has.

    `seconds` is how long its call took; None where it was recalled.
    """

    order: Order
    names: tuple[str, ...]
    listed: int
    seconds: float | None = None


@dataclass(frozen=True)
class Decided:
    """What an earlier attempt has cut from a page that it kept."""

    cut: Cut | None


Judge = Callable[[Seen, Decided | None], Cut | None]
"""Decides what to cut from a page, and is told what was decided where it was kept before."""


TokenCheck = Callable[[str], None]
"""Raises `PageError` for a next page's token that the listing was given before, so that the page is
asked for again."""


class Dropped(Exception):  # noqa: N818  (no error: the page is not wanted any more)
    """Raised by a `Judge` for a page that others have covered meanwhile; it took `calls`."""

    calls = 0


class Fetcher:
    """Gets pages, in whatever order they are asked for."""

    def __init__(
        self, client: Client, keeper: Keeper, progress: Progress, decoders: Decoders
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._progress = progress
        self._decoders = decoders
        self._budget = Budget()
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
                await self._keeper.keep(
                    key, recalled.summary, recalled.body, stage(page), inline=True
                )
            cost = Cost(**orjson.loads(recalled.summary))
            self._count_recalled(cost)
            return Resources(page, cost.calls)

        async def decode(body: bytes) -> ResourcesPage:
            page = decode_resources(body, table, parents)
            check(page.next_token)
            return page

        # What is found by it is what else there is to do, so it goes before all pages of images.
        answer = await self._client.get(call, decode, weight=math.inf)
        self._progress.pages += 1
        summary = orjson.dumps(self._cost(answer))
        await self._keeper.keep(key, summary, answer.body, stage(answer.page), inline=True)
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
        weight: float,
    ) -> Images:
        """Get a page of images and send its rows on; raises `ApiError`, `OutputError`, `Dropped`.

        `weight` are the pages that may come after it: of calls that wait, the largest goes first.
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
            page = await self._decoders.run(work, body, weight=weight)
            check(page.next_token)
            return page

        recalled = self._keeper.recall(key)
        if recalled is not None and (recalled.sealed or recalled.body is not None):
            summary = _from_json(recalled.summary)
            if summary.order is not None:
                seen = Seen(summary.order, tuple(summary.names), summary.listed)
                judge(seen, Decided(summary.cut))
            if not recalled.sealed and recalled.body is not None:
                page = await decode(recalled.body, summary.cut)
                await self._keeper.keep(key, recalled.summary, recalled.body, _tables(page))
            self._count_recalled(summary.cost)
            self._count_rows(summary)
            return summary

        async with self._budget.page() as weigh:
            answer: Answer[ImagesPage] = await self._client.get(call, decode, weight=weight)
            weigh(len(answer.body))
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
            await self._keeper.keep(key, _to_json(summary), answer.body, _tables(page))
            self._count_rows(summary)
            return summary

    async def sample(self, call: Call, check: TokenCheck) -> tuple[SamplePage, int]:
        """Get a page of images only to look at it, and the calls it took; raises `ApiError`."""

        async def decode(body: bytes) -> SamplePage:
            page = await self._decoders.run(decode_sample, body, weight=math.inf)
            check(page.next_token)
            return page

        async with self._budget.page() as weigh:
            answer = await self._client.get(call, decode, weight=math.inf)
            weigh(len(answer.body))
            return answer.page, answer.calls

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


def _to_json(summary: Images) -> bytes:
    return orjson.dumps(summary)


def _from_json(text: bytes) -> Images:
    fields: dict[str, Any] = orjson.loads(text)
    order, cut = fields["order"], fields["cut"]
    fields["cost"] = Cost(**fields["cost"])
    if order is not None:
        places = {name: _position(order[name]) for name in ("first", "last")}
        fields["order"] = Order(**{**order, **places, "last_ids": tuple(order["last_ids"])})
    if cut is not None:
        places = {name: _position(cut[name]) for name in ("until", "since")}
        fields["cut"] = Cut(**{**cut, **places, "but_not": tuple(cut["but_not"])})
    return Images(**fields)


def _position(fields: Mapping[str, Any] | None) -> Position | None:
    if fields is None:
        return None
    at = fields["at"]
    return Position(fields["name"], datetime.fromisoformat(at) if at else None)
