"""The scheduler by itself: which task goes first, how many at once, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from exporter.crawl.scheduler import Scheduler
from exporter.crawl.task import Priority, Rank, Task


class FakeTask:
    """A task of some steps, told of each; `gate` holds a step until it is opened."""

    def __init__(
        self,
        name: str,
        log: list[str],
        *,
        rank: Rank = Rank.LISTING,
        pages_left: float = 1.0,
        steps: int = 1,
        gate: asyncio.Event | None = None,
        act: Callable[[], None] = lambda: None,
        has_prefetched: bool = False,
    ) -> None:
        self.has_prefetched = has_prefetched
        self.rank, self.pages_left = rank, pages_left
        self._name, self._log, self._left, self._gate, self._act = name, log, steps, gate, act

    @property
    def priority(self) -> Priority:
        return Priority(self.rank, self.pages_left)

    async def run_one(self) -> bool:
        self._log.append(self._name)
        if self._gate is not None:
            await self._gate.wait()
        await asyncio.sleep(0)
        self._act()
        self._left -= 1
        return self._left > 0


def no_task() -> Task | None:
    return None


async def run(scheduler: Scheduler) -> None:
    async with asyncio.timeout(200):
        await scheduler.run()


async def test_tasks_go_by_rank_then_by_pages_left_then_by_age() -> None:
    log: list[str] = []
    scheduler = Scheduler(1, no_task)
    for name, rank, pages_left in [
        ("short", Rank.LISTING, 1.0),
        ("long", Rank.LISTING, 9.0),
        ("as short", Rank.LISTING, 1.0),
        ("discovery", Rank.DISCOVERY, 0.5),
    ]:
        scheduler.add(FakeTask(name, log, rank=rank, pages_left=pages_left))
    await run(scheduler)
    assert log == ["discovery", "long", "short", "as short"]


async def test_a_task_is_queued_again_behind_what_is_longer() -> None:
    log: list[str] = []
    scheduler = Scheduler(1, no_task)
    shrinking = FakeTask("shrinking", log, pages_left=9.0, steps=2)
    shrinking._act = lambda: setattr(shrinking, "pages_left", 1.0)
    scheduler.add(shrinking)
    scheduler.add(FakeTask("other", log, pages_left=5.0))
    await run(scheduler)
    assert log == ["shrinking", "other", "shrinking"]


@pytest.mark.parametrize("slots", [1, 3, 8])
async def test_never_are_more_tasks_under_way_than_there_are_slots(slots: int) -> None:
    active = 0
    most = 0

    class Counted(FakeTask):
        async def run_one(self) -> bool:
            nonlocal active, most
            active += 1
            most = max(most, active)
            try:
                return await super().run_one()
            finally:
                active -= 1

    log: list[str] = []
    scheduler = Scheduler(slots, no_task)
    for number in range(20):
        scheduler.add(Counted(f"task {number}", log, steps=3))
    await run(scheduler)
    assert len(log) == 60
    assert most == slots


async def test_work_is_stolen_only_when_no_task_waits() -> None:
    log: list[str] = []
    stolen_after: list[int] = []

    def idle_task() -> Task | None:
        if len(stolen_after) == 2:
            return None
        stolen_after.append(len(log))
        return FakeTask("stolen", log)

    scheduler = Scheduler(1, idle_task)
    for number in range(3):
        scheduler.add(FakeTask(f"task {number}", log))
    await run(scheduler)
    assert stolen_after == [3, 4]
    assert log == ["task 0", "task 1", "task 2", "stolen", "stolen"]


async def test_nothing_is_stolen_before_what_was_begun_has_asked_for_its_page() -> None:
    log: list[str] = []
    seen: list[list[str]] = []
    names = iter(["first stolen", "second stolen"])

    def idle_task() -> Task | None:
        seen.append(list(log))
        name = next(names, None)
        return None if name is None else FakeTask(name, log)

    scheduler = Scheduler(8, idle_task)
    for name in ("a", "b"):
        scheduler.add(FakeTask(name, log))
    await run(scheduler)
    assert seen[:2] == [["a", "b"], ["a", "b", "first stolen"]]


async def test_a_free_slot_asks_again_for_work_when_something_has_changed() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    offers: list[Task] = []
    scheduler = Scheduler(2, lambda: offers.pop() if offers else None)

    def offer() -> None:
        offers.append(FakeTask("stolen", log))

    scheduler.add(FakeTask("first", log, gate=gate, act=offer))
    asyncio.get_running_loop().call_later(0.01, gate.set)
    await run(scheduler)
    assert log == ["first", "stolen"]


async def test_tasks_added_by_tasks_are_run_before_the_end() -> None:
    log: list[str] = []
    scheduler = Scheduler(4, no_task)

    def spawn(depth: int) -> None:
        if depth:
            for number in range(2):
                scheduler.add(FakeTask(f"{depth}.{number}", log, act=lambda: spawn(depth - 1)))

    spawn(4)
    await run(scheduler)
    assert len(log) == 2 + 4 + 8 + 16


async def test_the_first_error_stops_everything() -> None:
    log: list[str] = []
    cancelled: list[str] = []

    class Hanging(FakeTask):
        async def run_one(self) -> bool:
            try:
                return await super().run_one()
            except asyncio.CancelledError:
                cancelled.append(self._name)
                raise

    def fail() -> None:
        raise OSError("the disk is full")

    scheduler = Scheduler(2, no_task)
    scheduler.add(Hanging("hanging", log, gate=asyncio.Event(), pages_left=9.0))
    scheduler.add(FakeTask("failing", log, act=fail))
    scheduler.add(FakeTask("never begun", log))
    with pytest.raises(ExceptionGroup) as caught:
        await run(scheduler)
    assert [str(error) for error in caught.value.exceptions] == ["the disk is full"]
    assert cancelled == ["hanging"]
    assert log == ["hanging", "failing"]


@pytest.mark.parametrize("slots", [1, 5])
async def test_without_tasks_it_ends_at_once(slots: int) -> None:
    asked: list[int] = []

    def idle_task() -> Task | None:
        asked.append(1)
        return None

    await run(Scheduler(slots, idle_task))
    assert len(asked) >= 1


async def test_what_is_queued_as_the_run_is_cancelled_is_not_begun() -> None:
    log: list[str] = []
    begun = asyncio.Event()

    class Hanging(FakeTask):
        async def run_one(self) -> bool:
            begun.set()
            return await super().run_one()

    scheduler = Scheduler(2, no_task)
    scheduler.add(Hanging("hanging", log, gate=asyncio.Event()))
    running = asyncio.create_task(run(scheduler))
    await begun.wait()
    running.cancel()
    scheduler.add(FakeTask("never begun", log))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert log == ["hanging"]


async def test_a_task_that_holds_its_slot_goes_on_before_all_others() -> None:
    log: list[str] = []
    scheduler = Scheduler(1, no_task)
    scheduler.add(FakeTask("holds", log, pages_left=9.0, steps=3, has_prefetched=True))
    scheduler.add(FakeTask("first of all", log, rank=Rank.DISCOVERY, gate=None))
    scheduler.add(FakeTask("heavy", log, pages_left=5.0))
    await run(scheduler)
    assert log == ["first of all", "holds", "holds", "holds", "heavy"]


async def test_the_free_slots_are_looked_at_after_each_page_of_a_task_that_holds_its_own() -> None:
    log: list[str] = []
    offered: list[Task] = []

    def idle_task() -> Task | None:
        return offered.pop() if offered else None

    def offer() -> None:
        offered.append(FakeTask("stolen", log))

    scheduler = Scheduler(2, idle_task)
    scheduler.add(FakeTask("holds", log, steps=4, has_prefetched=True, act=offer))
    await run(scheduler)
    assert log.count("stolen") >= 3
    assert log.index("stolen") < 3


async def test_a_task_would_get_the_next_slot_unless_one_that_waits_goes_first() -> None:
    scheduler = Scheduler(1, no_task)
    log: list[str] = []
    task = FakeTask("task", log, pages_left=3.0)
    assert scheduler.next_is(task)
    scheduler.add(FakeTask("light", log, pages_left=2.0))
    assert scheduler.next_is(task)
    scheduler.add(FakeTask("heavy", log, pages_left=4.0))
    assert not scheduler.next_is(task)
    assert scheduler.next_is(FakeTask("first rank", log, rank=Rank.DISCOVERY, pages_left=0.0))
