"""A page that is on its way: who asked for it waits for it, or drops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from exporter.crawl.memory import MemoryReservation
from exporter.http.types import Answer, Call, Received, Sent
from exporter.page import PageKey, StoredPage

P = TypeVar("P")


class Peek(NamedTuple):
    """What an answer shows before it is decoded: the next page's cursor, or that none follows.

    The cursor is a likely guess, empty where none is seen.
    """

    cursor: str
    last: bool


def _ignore(_cursor: str) -> None:
    """Ask for nothing ahead."""


@dataclass(frozen=True)
class PageRequest(Generic[P]):
    """One page to get, and what to make of it.

    `key` tells it apart from all other pages of the run, in the store as well. `decode` makes a
    page of the body, in a thread; `check` may refuse that with `PageError`, in the page's turn, so
    that it is asked for again. `pages_left` tells how many pages may come after it: of calls and
    of bodies that wait, the one with the most goes first. `follow` is told the next page's cursor
    once `peek` has seen it in the body or the headers, which is before the page is decoded.
    `not_found_waits` are the seconds before a page that is not found is asked for again.
    """

    call: Call
    key: PageKey
    decode: Callable[[bytes], P]
    check: Callable[[P], None]
    pages_left: Callable[[], float]
    peek: Callable[[Received], Peek]
    follow: Callable[[str], None] = _ignore
    not_found_waits: tuple[float, ...] = ()


class Dropped(Exception):  # noqa: N818  (no error: the page is not wanted any more)
    """Raised for a page that others have covered meanwhile; it took `calls`."""

    def __init__(self, calls: int = 0) -> None:
        super().__init__()
        self.calls = calls


@dataclass(frozen=True)
class Fetched(Generic[P]):
    """A page that has come and is decoded, with its bytes in flight."""

    answer: Answer[P]
    reservation: MemoryReservation


class PendingPage(Generic[P]):
    """A page that was asked for, or was stored by an earlier attempt (`stored`).

    `fetch` gets it, and ends what it began where it is cancelled. It may run before it is the
    page's `turn`, while the page before is dealt with.
    """

    def __init__(
        self,
        request: PageRequest[P],
        stored: StoredPage | None,
        fetch: Callable[[PendingPage[P]], Coroutine[Any, Any, Fetched[P]]],
    ) -> None:
        self.request = request
        self.stored = stored
        self.sent = Sent()
        self.turn = asyncio.Event()
        self._follows = ""
        self._dropped = False
        self._task: asyncio.Task[Fetched[P]] | None = None
        if stored is None:
            self._task = asyncio.create_task(fetch(self))
            self._task.add_done_callback(_look)

    def shows(self, cursor: str) -> None:
        """Take the next page's cursor from the body that has come; empty where it shows none."""
        self._follows = cursor
        if self.turn.is_set() and cursor:
            self.request.follow(cursor)

    async def fetched(self) -> Fetched[P]:
        """Wait for the page, as its turn has come; raises what its call raises, and `Dropped`."""
        task = self._task
        if task is None:
            raise RuntimeError("the page was stored, and not asked for")
        self.turn.set()
        try:
            if self._follows:
                self.request.follow(self._follows)
            await asyncio.wait([task])
        except BaseException:
            self.drop()
            await asyncio.wait([task])
            raise
        if self._dropped:
            raise Dropped(self.sent.calls)
        self._task = None  # Who takes the page sees to it from here on.
        return task.result()

    def drop(self) -> None:
        """Want it no more: what is under way for it is given up."""
        self._dropped = True
        if self._task is None or self._task.cancel() or self._task.cancelled():
            return
        if self._task.exception() is None:
            self._task.result().reservation.release()


def _look(task: asyncio.Task[Any]) -> None:
    """Take note of a failure, which is no news where the page was dropped."""
    if not task.cancelled():
        task.exception()
