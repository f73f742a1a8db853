"""One page, wherever it comes from: recalled from staging, or asked for, decoded and kept.

Resuming is nothing but this: a run that is taken up again makes the same crawl, and every page
that an earlier attempt kept is answered from the journal instead of by the cloud.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pyarrow as pa

from exporter.api import Answer, Call, Client
from exporter.crawl import again
from exporter.crawl.asked import Asked, Fetched, Question, TokenCheck
from exporter.crawl.budget import Budget, Held
from exporter.crawl.decoders import Decoders
from exporter.crawl.keeper import Keeper, Kept
from exporter.crawl.pages import Cost, Decided, Dropped, Images, Judge, Seen, from_json, to_json
from exporter.crawl.progress import Progress
from exporter.errors import PageError
from exporter.tables.images import ImagesPage, decode_images
from exporter.tables.order import Cut
from exporter.tables.pages import has_token, shown_token
from exporter.tables.resources import Parents, ResourcesPage, decode_resources
from exporter.tables.sample import SamplePage, decode_sample
from exporter.tables.schemas import Table

PAGE_BYTES_IN_FLIGHT = 48 * 1024 * 1024
"""Bodies of pages of images that may be under way, decoded or waiting to be written at once.

Some thirty pages of a thousand images, a hundred of the usual shorter ones: more than come in the
time that a call takes, so that more of them under way would only wait in memory.
"""
FULL_PAGE_BYTES = 1_850_000
"""A page of a thousand images (`API.md`): what any is taken for until the first have come."""
OTHER_BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""The same of all other pages, which do not wait for those: small ones, because they find work, and
recalled ones, because pages that were asked for and cut wait for them."""


@dataclass(frozen=True)
class Resources:
    """A page of clouds, folders, registries or repositories, and the calls it took."""

    page: ResourcesPage
    calls: int


_LEARNING = 0.1


class Fetcher:
    """Gets pages, in whatever order they are asked for."""

    def __init__(
        self, client: Client, keeper: Keeper, progress: Progress, decoders: Decoders
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._progress = progress
        self._decoders = decoders
        self._budget = Budget(PAGE_BYTES_IN_FLIGHT, FULL_PAGE_BYTES)
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
            page = decode_resources(recalled.body, table, parents, call.scope)
            if not recalled.sealed:
                with await self._other_budget.hold(0.0) as held:
                    held.weigh(len(recalled.body))
                    rows = stage(page)
                    await self._hand_over(
                        held, key, recalled.summary, recalled.body, rows, inline=True
                    )
            cost = Cost(**orjson.loads(recalled.summary))
            self._count_recalled(cost)
            return Resources(page, cost.calls)

        async def decode(body: bytes) -> ResourcesPage:
            page = decode_resources(body, table, parents, call.scope)
            check(page.next_token)
            again.refuse_flaws(page)
            return page

        # What is found by it is what else there is to do, so it goes before all pages of images.
        with await self._other_budget.hold(0.0) as held:
            answer = await again.get(self._client, call, decode, weight=math.inf)
            held.weigh(len(answer.body))
            self._progress.pages += 1
            summary = orjson.dumps(self._cost(answer))
            rows = stage(answer.page)
            await self._hand_over(held, key, summary, answer.body, rows, inline=True)
            return Resources(answer.page, answer.calls)

    async def look(self, call: Call, table: Table, check: TokenCheck) -> tuple[ResourcesPage, int]:
        """Get a page of small resources only to see which it names, and the calls it took."""

        async def decode(body: bytes) -> ResourcesPage:
            page = decode_resources(body, table, Parents(), call.scope)
            check(page.next_token)
            if page.lost:
                raise PageError(page.doubt)
            again.refuse_flaws(page)
            return page

        answer = await again.get(self._client, call, decode, weight=math.inf)
        return answer.page, answer.calls

    def ask(self, question: Question) -> Asked:
        """Begin to get a page of images, unless an earlier attempt has kept it."""
        key = _key(question.call, question.attempt)
        kept = self._keeper.recall(key)
        if kept is not None and kept.body is None and not kept.sealed:
            kept = None
        return Asked(question, key, kept, self._fetch)

    async def _fetch(self, asked: Asked) -> Fetched:
        question = asked.question
        held = await self._budget.hold(question.weight())

        async def decode(body: bytes) -> ImagesPage:
            held.weigh(len(body))
            token = shown_token(body)
            asked.shows(token)
            # Nothing waits for a last page. (It takes long to look for a token that is not shown.)
            weight = question.weight() if token or has_token(body) else 0.0
            page = await self._decode(question, body, weight=weight)
            await asked.turn.wait()
            question.check(page.next_token)
            again.refuse_flaws(page)
            return page

        try:
            answer = await again.get(
                self._client, question.call, decode, weight=question.weight(), sent=asked.sent
            )
        except BaseException:
            held.release()
            raise
        return Fetched(answer, held)

    async def _decode(
        self, question: Question, body: bytes, cut: Cut | None = None, *, weight: float
    ) -> ImagesPage:
        work = partial(
            decode_images,
            cloud_id=question.parents.cloud_id,
            folder_id=question.parents.folder_id,
            wanted=question.wanted,
            cut=cut,
            scope=question.call.scope,
        )
        return await self._decoders.run(work, body, weight=weight)

    async def images(
        self, asked: Asked, judge: Judge, ready: Callable[[], Awaitable[None]]
    ) -> Images:
        """Get a page of images and send its rows on; raises `ApiError`, `OutputError`, `Dropped`.

        A page that was cut is handed over once what it was cut for is `ready`: handed over, and so
        kept, before.
        """
        if asked.kept is not None:
            return await self._recalled(asked, asked.kept, judge)
        fetched = await asked.fetched()
        answer, page, cut = fetched.answer, fetched.answer.page, None
        self._call_seconds += (answer.seconds - self._call_seconds) * _LEARNING
        with fetched.held as held:
            try:
                if page.order is not None:
                    names = tuple(page.names)
                    cut = judge(Seen(page.order, names, page.ids, answer.seconds), None)
            except Dropped as dropped:
                dropped.calls = answer.calls
                raise
            if cut is not None:
                page = await self._decode(asked.question, answer.body, cut, weight=math.inf)
                await ready()
            summary = Images(
                listed=page.listed,
                rows=page.images.num_rows,
                layers=page.layers.num_rows,
                names=page.names,
                nameless=page.nameless,
                order=page.order,
                ids=page.ids,
                cut=cut,
                next_token=page.next_token,
                cost=self._cost(answer),
                sketch=page.sketch,
                lost=page.lost,
            )
            self._progress.pages += 1
            await self._hand_over(held, asked.key, to_json(summary), answer.body, _tables(page))
            self._count_rows(summary)
            return summary

    async def _recalled(self, asked: Asked, kept: Kept, judge: Judge) -> Images:
        summary = from_json(kept.summary)
        if summary.order is not None:
            seen = Seen(summary.order, tuple(summary.names), summary.ids)
            judge(seen, Decided(summary.cut))
        if not kept.sealed and kept.body is not None:
            with await self._other_budget.hold(0.0) as held:
                held.weigh(len(kept.body))
                question = asked.question
                page = await self._decode(
                    question, kept.body, summary.cut, weight=question.weight()
                )
                question.check(page.next_token)
                await self._hand_over(held, asked.key, kept.summary, kept.body, _tables(page))
        self._count_recalled(summary.cost)
        self._count_rows(summary)
        return summary

    async def sample(self, call: Call, check: TokenCheck) -> tuple[SamplePage, int]:
        """Get a page of images only to look at it, and the calls it took; raises `ApiError`."""

        async def decode(body: bytes) -> SamplePage:
            page = await self._decoders.run(decode_sample, body, weight=math.inf)
            check(page.next_token)
            again.refuse_flaws(page)
            return page

        with await self._budget.hold(math.inf) as held:
            answer = await again.get(self._client, call, decode, weight=math.inf)
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

        def written() -> None:
            self._decoders.written()
            held.release()

        self._decoders.handed_over()
        try:
            await self._keeper.keep(key, summary, body, rows, inline=inline, written=written)
        except BaseException:
            self._decoders.written()
            raise
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


@lru_cache(maxsize=1024)
def _key(call: Call, attempt: int) -> str:
    return f"{call.service}{call.path}?{urlencode(sorted(call.params))}#{attempt}"


def _tables(page: ImagesPage) -> dict[str, pa.Table]:
    names = ("images", "layers", "config_blobs", "bad_values")
    return {name: getattr(page, name) for name in names}
