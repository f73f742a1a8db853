"""A list that comes in pages: the repositories of a registry, or the tags of a repository.

A page is stored once it has come, and its names are what a resumed run goes on with. The end of a
list is where no page follows, where one comes a second time, or where a page has nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import orjson

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.pipeline import Cost, PagePipeline
from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError, StatusError, is_not_found, is_refused
from exporter.http.client import Client
from exporter.http.types import Call, Received
from exporter.page import PageKey
from exporter.sources.oci.calls import Query
from exporter.sources.oci.paging import PAGE_SIZES, NamesPage, first_query


@dataclass
class PageSizes:
    """The page size that a registry takes, for one of its lists; it is found out once."""

    place: int = 0

    @property
    def size(self) -> int | None:
        """The size to ask for; None to ask for none."""
        return PAGE_SIZES[self.place]

    def refused(self, asked: int | None) -> bool:
        """Go on to the next size after one was refused; return whether there is another."""
        if asked == self.size and self.place + 1 < len(PAGE_SIZES):
            self.place += 1
        return asked != self.size


class NamesTask:
    """Lists all names (`crawl.task.Task`): one page is one step.

    `call` makes the call for a query, and `decode` reads its answer, knowing the query. `found` is
    told the new names of each page and the page's number, `ended` how it ended: with an error or
    None. With `attempt` a list is made again: its pages are told from those of the first time.
    `first` makes the query of the first page for a page size.
    """

    has_prefetched = False

    def __init__(
        self,
        client: Client,
        pipeline: PagePipeline,
        entry: ListingStatus,
        call: Callable[[Query], Call],
        decode: Callable[[Received, Query], NamesPage],
        sizes: PageSizes,
        *,
        found: Callable[[Sequence[str], Sequence[str], int], None],
        ended: Callable[[ApiError | None], None],
        rank: Rank = Rank.LISTING,
        attempt: int = 0,
        first: Callable[[int | None], Query] = first_query,
    ) -> None:
        self._first = first
        self._client = client
        self._pipeline = pipeline
        self._entry = entry
        self._call = call
        self._decode = decode
        self._sizes = sizes
        self._found = found
        self._ended = ended
        self._rank = rank
        self._attempt = attempt
        self._query: Query | None = None
        self._asked_size: int | None = None
        self._followed: set[Query] = set()
        self._names: set[str] = set()
        self._round: set[str] = set()  # Those since the list began, or began again; junk too.
        self._number = 0
        self._has_restarted = False

    @property
    def priority(self) -> Priority:
        """Whatever lists names finds other work."""
        return Priority(self._rank, float("inf"))

    async def run_one(self) -> bool:
        """Take one page; see `crawl.task.Task`."""
        self._entry.begin()
        try:
            page, cost = await self._page()
        except ApiError as error:
            self._entry.spent(error.calls)
            if self._may_go_on(error):
                return True
            self._ended(error)
            return False
        new = [name for name in page.names if name not in self._names]
        goes_on = not self._round.issuperset((*page.names, *page.junk))
        self._names.update(new)
        self._round.update(page.names, page.junk)
        self._entry.pages += 1
        self._entry.items += len(new)
        self._entry.spent(cost.calls)
        self._found(new, page.junk, self._number)
        self._number += 1
        following = page.following
        if following is None or following in self._followed or not goes_on:
            self._ended(None)
            return False
        self._followed.add(following)
        self._query = following
        return True

    async def _page(self) -> tuple[NamesPage, Cost]:
        if self._query is None:
            self._asked_size = self._sizes.size
        query = self._first(self._asked_size) if self._query is None else self._query
        call = self._call(query)
        # By its number: another size may be asked for in another attempt.
        key = PageKey(f"{call.service}{call.path}#{self._attempt}.{self._number}")
        stored = self._pipeline.stored(key)
        if stored is not None:
            page, cost = _from_json(stored.summary)
            self._pipeline.count_stored(cost)
            return page, cost

        async def decode(received: Received) -> NamesPage:
            return self._decode(received, query)

        with await self._pipeline.small.reserve(0.0) as held:
            answer = await self._client.get(call, decode, weight=float("inf"))
            held.resize(len(answer.body))
            cost = self._pipeline.cost(answer)
            summary = _to_json(answer.page, cost)
            await self._pipeline.write(held, key, summary, b"", {}, inline=True)
        return answer.page, cost

    def _may_go_on(self, error: ApiError) -> bool:
        """Return whether to ask in another way: for fewer names, or from the beginning."""
        if self._query is None:
            refuses = is_refused(error) and not is_not_found(error)
            return refuses and self._sizes.refused(self._asked_size)
        if self._has_restarted or not isinstance(error, StatusError):
            return False
        if not (is_refused(error) or is_not_found(error)):
            return False
        # What the cursor names may be gone: a list that begins again goes past it.
        self._has_restarted = True
        self._query = None
        self._followed.clear()
        self._round.clear()
        return True


def _to_json(page: NamesPage, cost: Cost) -> bytes:
    return orjson.dumps([page.names, page.junk, page.following, asdict(cost)])


def _from_json(summary: bytes) -> tuple[NamesPage, Cost]:
    names, junk, following, cost = orjson.loads(summary)
    query = None if following is None else tuple((name, value) for name, value in following)
    return NamesPage(tuple(names), tuple(junk), query), Cost(**cost)
