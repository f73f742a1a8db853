"""A page that was asked for: its request, and the pending page that its task awaits or drops."""

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
    """The facts that an answer shows before it is decoded: the next cursor, or that none follows.

    The cursor is a likely guess, empty if none is found.
    """

    cursor: str
    last: bool


def _ignore(_cursor: str) -> None:
    """Prefetch nothing."""


@dataclass(frozen=True)
class PageRequest(Generic[P]):
    """One page to get, and how to decode it.

    `key` tells it apart from all other pages of the run, in the store as well. `decode` makes a
    page of the body, in a thread. `check` may refuse the page with `PageError`, in the page's turn,
    so that it is asked for again. `pages_left` returns how many pages may come after it: of waiting
    calls and bodies, the one with the most goes first. `follow` is called with the next page's
    cursor once `peek` has found it in the body or the headers, which is before the page is decoded.
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


class Dropped(Exception):  # noqa: N818  (no error: the page is no longer needed)
    """Raised for a page that is no longer needed; it took `calls`."""

    def __init__(self, calls: int = 0) -> None:
        super().__init__()
        self.calls = calls


@dataclass(frozen=True)
class Fetched(Generic[P]):
    """A page that has come and is decoded, with its memory reservation."""

    answer: Answer[P]
    reservation: MemoryReservation


class PendingPage(Generic[P]):
    """A page that was asked for, or was stored by an earlier attempt (`stored`).

    `fetch` gets it, and cleans up if it is cancelled. It may run before the page's `turn`, while
    the page before it is handled.
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
        """Note the next page's cursor in the body that has come; empty if it shows none."""
        self._follows = cursor
        if self.turn.is_set() and cursor:
            self.request.follow(cursor)

    async def fetched(self) -> Fetched[P]:
        """Wait for the page, in its turn; raises the error of its call, and `Dropped`."""
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
        self._task = None  # The caller owns the page from here on.
        return task.result()

    def drop(self) -> None:
        """Give the page up, with the call that is under way for it."""
        self._dropped = True
        if self._task is None or self._task.cancel() or self._task.cancelled():
            return
        if self._task.exception() is None:
            self._task.result().reservation.release()


def _look(task: asyncio.Task[Any]) -> None:
    """Retrieve a failure, so that asyncio does not report it for a dropped page."""
    if not task.cancelled():
        task.exception()
