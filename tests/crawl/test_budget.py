"""Bytes in flight: how many pages go on at once, which of them first, and until when."""

from __future__ import annotations

import asyncio

import pytest

from exporter.crawl.memory import MemoryBudget, MemoryReservation


class Pages:
    """Pages of one budget, each a task that goes on until it is told how to end."""

    def __init__(self, limit_bytes: int, usual_bytes: float = 0.0) -> None:
        self.budget = MemoryBudget(limit_bytes, usual_bytes)
        self.begun: list[str] = []
        self.reservation: dict[str, MemoryReservation] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, *, weight: float = 1.0) -> None:
        """Ask for a page; return once it is under way or waits."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._page(name, weight))
        await settled()

    async def _page(self, name: str, weight: float) -> None:
        with await self.budget.reserve(weight) as reservation:
            self.begun.append(name)
            self.reservation[name] = reservation
            await self._ends[name].wait()

    async def end(self, name: str, *, handed_over: bool = False) -> None:
        """Let a page end; `handed_over` if whoever writes it gives its bytes back."""
        if handed_over:
            self.reservation[name].keep_until_written()
        self._ends[name].set()
        await self._tasks[name]
        await settled()

    async def cancel(self, name: str) -> None:
        """Cancel a page."""
        self._tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._tasks[name]
        await settled()


async def settled() -> None:
    """Let all tasks go on as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def full(limit_bytes: int = 100) -> Pages:
    """Return pages whose budget is taken by one of as many bytes, `first`."""
    pages = Pages(limit_bytes)
    await pages.ask("first")
    pages.reservation["first"].resize(limit_bytes)
    return pages


async def test_a_page_waits_for_room() -> None:
    pages = await full()
    await pages.ask("second")
    assert pages.begun == ["first"]
    await pages.end("first")
    assert pages.begun == ["first", "second"]


async def test_pages_go_on_together_as_long_as_average_ones_have_room() -> None:
    pages = Pages(100)
    for name in "abcd":
        await pages.ask(name)
    assert pages.begun == list("abcd")  # Nothing is known of their sizes.
    for name in "abcd":
        pages.reservation[name].resize(20)
    await pages.ask("e")
    assert pages.begun == list("abcde")
    pages.reservation["e"].resize(20)
    await pages.ask("f")
    assert pages.begun == list("abcde")


async def test_at_first_no_more_go_on_than_usual_pages_have_room() -> None:
    pages = Pages(100, usual_bytes=40)
    for name in "abcd":
        await pages.ask(name)
    assert pages.begun == list("ab")
    pages.reservation["a"].resize(10)  # 50 are held now, and the next is taken to have 37.
    await settled()
    assert pages.begun == list("abc")


async def test_of_pages_that_wait_the_heaviest_goes_first_and_of_equals_the_oldest() -> None:
    pages = await full()
    for name, weight in [("light", 1.0), ("older", 5.0), ("younger", 5.0), ("heavy", 9.0)]:
        await pages.ask(name, weight=weight)
    await pages.end("first")
    assert pages.begun == ["first", "heavy", "older", "younger", "light"]


async def test_what_is_handed_over_holds_its_bytes_until_it_is_written() -> None:
    pages = await full()
    await pages.ask("second")
    await pages.end("first", handed_over=True)
    assert pages.begun == ["first"]
    pages.reservation["first"].release()
    await settled()
    assert pages.begun == ["first", "second"]


async def test_bytes_are_given_back_once() -> None:
    pages = await full()
    pages.reservation["first"].release()
    await pages.ask("second")
    pages.reservation["second"].resize(100)
    await pages.end("first")  # It is written before whoever asked for it has gone on.
    await pages.ask("third")
    assert pages.begun == ["first", "second"]


async def test_a_page_larger_than_all_there_is_passes_alone() -> None:
    pages = await full()
    pages.reservation["first"].resize(1000)
    await pages.ask("second")
    await pages.ask("third")
    await pages.end("first")
    assert pages.begun == ["first", "second"]
    await pages.end("second")
    assert pages.begun == ["first", "second", "third"]


async def test_a_page_that_is_given_up_while_it_waits_takes_no_room() -> None:
    pages = await full()
    await pages.ask("second", weight=9.0)
    await pages.ask("third")
    await pages.cancel("second")
    await pages.end("first")
    assert pages.begun == ["first", "third"]


async def test_a_page_that_is_given_up_just_as_it_gets_room_gives_it_back() -> None:
    pages = await full()
    for _ in range(50):
        pages.reservation["first"].resize(100)  # Now all pages are expected to be as large.
    asked = asyncio.create_task(pages.budget.reserve(1.0))
    await settled()
    await pages.ask("third")
    pages.reservation["first"].release()  # What waits has room, and is to be told of it next.
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await settled()
    assert pages.begun == ["first", "third"]
