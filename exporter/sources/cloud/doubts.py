"""Whether a resource that answers 404 is gone: its parent, listed again, no longer names it.

A 404 alone does not prove it. It may come from a stale replica, and an API that hides what the
caller may not read answers the same. So the listing has failed until its parent was listed again
after the 404. If the parent no longer names the resource, it has vanished. If the parent itself is
not found, the same is done one level higher.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import ApiError, is_not_found
from exporter.http.types import Call
from exporter.sources.cloud.levels import NAMED_BY
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.restarts import Restarts
from exporter.tables.listings import Listing
from exporter.tables.schemas import TABLES

log = structlog.get_logger()

Told = Callable[[bool, str], None]
"""Receives whether a resource is gone, and the reason as the end of a sentence."""


class Doubts:
    """Decides about every 404 of a run.

    `named_in` returns the entry of the listing that named a resource, `queue` gives a task to the
    scheduler, `call_of` returns the first call of an entry's listing.
    """

    def __init__(
        self,
        pages: Pages,
        queue: Callable[[Task], None],
        page_size: int,
        named_in: Callable[[Listing, str], ListingStatus | None],
        call_of: Callable[[ListingStatus], Call],
    ) -> None:
        self._pages = pages
        self._queue = queue
        self._page_size = page_size
        self._named_in = named_in
        self._call_of = call_of
        self._gone: set[tuple[Listing, str]] = set()
        self._readings: dict[ListingStatus, Reading] = {}

    def of(self, entry: ListingStatus) -> None:
        """Find out whether a listing's scope is gone, and say so in its entry."""

        def told(gone: bool, reason: str) -> None:
            entry.resolve(gone=gone, reason=reason)

        self._ask(NAMED_BY[entry.listing], entry.parent_id, told)

    def _ask(self, level: Listing, id_: str, told: Told) -> None:
        """Find out whether a resource of a level is gone."""
        named_in = self._named_in(level, id_)
        if named_in is None:
            told(False, "and no listing has named it")
            return
        if (level, id_) in self._gone:
            told(True, f"and the {level}, listed again, do not name it")
            return
        reading = self._readings.get(named_in)
        if reading is None or reading.begun:
            # A reading that began before the 404 proves nothing about it.
            call = self._call_of(named_in)
            reading = Reading(self._pages, named_in, call, self._page_size)
            self._readings[named_in] = reading
            self._queue(reading)

        def read(names: set[str], error: ApiError | None) -> None:
            self._compare(named_in, id_, names, error, told)

        reading.waiting.append(read)

    def _compare(
        self, named_in: ListingStatus, id_: str, names: set[str], error: ApiError | None, told: Told
    ) -> None:
        level = named_in.listing
        if id_ in names:
            told(False, f"but the {level}, listed again, still name it; run the export again")
        elif error is None:
            self._gone.add((level, id_))
            told(True, f"and the {level}, listed again, do not name it")
        elif is_not_found(error) and named_in.known:

            def parent_told(gone: bool, reason: str) -> None:
                if gone:
                    self._gone.add((level, id_))
                told(gone, f"as are the {level} beside it, {reason}")

            self._ask(NAMED_BY[level], named_in.parent_id, parent_told)
        else:
            told(
                False,
                f"and the {level} cannot be listed again ({error.message}); run the export again",
            )


class Reading:
    """Makes an entry's listing again, only for the ids; no row is written.

    `waiting` receive the ids, and the error that ended the listing early. The entry counts its
    calls.
    """

    priority = Priority(Rank.DISCOVERY)
    has_prefetched = False

    def __init__(self, pages: Pages, entry: ListingStatus, call: Call, page_size: int) -> None:
        self.begun = False
        self.waiting: list[Callable[[set[str], ApiError | None], None]] = []
        self._pages = pages
        self._entry = entry
        self._cursor = PageCursor(call, page_size=page_size)
        self._restarts = Restarts()
        self._names: set[str] = set()

    async def run_one(self) -> bool:
        """Ask for the next page; return True while there is more."""
        call = self._cursor.call
        if call is None:
            return False
        self.begun = True
        try:
            page, calls = await self._pages.look(
                call, TABLES[self._entry.listing], self._cursor.check
            )
            self._entry.spent(calls)
            self._names.update(one.id for one in page.resources)
            self._cursor.advance(page.next_token, items=len(page.resources), sketch=page.sketch)
        except ApiError as error:
            self._entry.spent(error.calls)
            if error.shorter_page_may_do and self._cursor.shorten(error.reason):
                return True
            if self._restarts.may_help(self._cursor, error):
                self._cursor.restart()
                self._names.clear()
                return True
            log.warning("not_listed_again", scope=error.scope, reason=error.reason)
            self._end(error)
            return False
        if self._cursor.call is not None:
            return True
        self._end(None)
        return False

    def _end(self, error: ApiError | None) -> None:
        for told in self.waiting:
            told(self._names, error)
