"""A page of images that is on its way: who asked for it waits for it, or drops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from exporter.crawl.memory import Held
from exporter.crawl.page_store import Kept
from exporter.http.types import Answer, Call, Sent
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.pages import Dropped

TokenCheck = Callable[[str], None]
"""Raises `PageError` for a next page's token that the listing was given before, so that the page is
asked for again."""


def _nothing_follows(_token: str) -> None:
    """Ask for nothing ahead."""


@dataclass(frozen=True)
class Question:
    """What to ask for: one page of images, and what to make of it.

    `attempt` tells apart the pages of a listing that had to be begun anew. `wanted` says by
    repository name which images are in scope. `weight` tells the pages that may come after it: of
    calls and of bodies that wait, the largest goes first. `follow` is told the next page's token
    once the body shows it, which is before the page is decoded.
    """

    call: Call
    attempt: int
    parents: Parents
    wanted: Callable[[str], bool] | None
    check: TokenCheck
    weight: Callable[[], float]
    follow: Callable[[str], None] = _nothing_follows


@dataclass(frozen=True)
class Fetched:
    """A page that has come and is decoded, with its bytes in flight."""

    answer: Answer[ImagesPage]
    held: Held


class Asked:
    """A page that was asked for, or was kept by an earlier attempt (`kept`).

    `fetch` gets it, and ends what it began where it is cancelled. It may run before it is the
    page's `turn`, while the page before is dealt with.
    """

    def __init__(
        self,
        question: Question,
        key: str,
        kept: Kept | None,
        fetch: Callable[[Asked], Coroutine[Any, Any, Fetched]],
    ) -> None:
        self.question = question
        self.key = key
        self.kept = kept
        self.sent = Sent()
        self.turn = asyncio.Event()
        self._follows = ""
        self._dropped = False
        self._task: asyncio.Task[Fetched] | None = None
        if kept is None:
            self._task = asyncio.create_task(fetch(self))
            self._task.add_done_callback(_look)

    def is_for(self, call: Call, attempt: int) -> bool:
        """Say whether it is the page of a call."""
        return (self.question.call, self.question.attempt) == (call, attempt)

    def shows(self, next_token: str) -> None:
        """Take the next page's token from the body that has come; empty where it shows none."""
        self._follows = next_token
        if self.turn.is_set() and next_token:
            self.question.follow(next_token)

    async def fetched(self) -> Fetched:
        """Wait for the page, as its turn has come; raises what its call raises, and `Dropped`."""
        task = self._task
        if task is None:
            raise RuntimeError("the page was kept, and not asked for")
        self.turn.set()
        try:
            if self._follows:
                self.question.follow(self._follows)
            await asyncio.wait([task])
        except BaseException:
            self.drop()
            await asyncio.wait([task])
            raise
        if self._dropped:
            raise Dropped(self.sent.calls)
        self._task = None  # Whoever takes the page sees to it from here on.
        return task.result()

    def drop(self) -> None:
        """Want it no more: what is under way for it is given up."""
        self._dropped = True
        if self._task is None or self._task.cancel() or self._task.cancelled():
            return
        if self._task.exception() is None:
            self._task.result().held.release()


def _look(task: asyncio.Task[Fetched]) -> None:
    """Take note of a failure, which is no news where the page was dropped."""
    if not task.cancelled():
        task.exception()
