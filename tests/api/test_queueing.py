"""The level at which a host without refusals works best, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.http.limiter import Limiter
from exporter.http.queueing import FIRST_LEVEL, Known, QueueWatch
from tests.api.virtual_time import run

SLOTS = 128


class Server:
    """Works on `workers` calls at once, each for about so many seconds; others wait in a queue.

    `latency` is added to each, on the way. `log` has the moment and the duration of each answer.
    """

    def __init__(
        self, workers: int, seconds: float, latency: float = 0.0, spread: float = 0.2
    ) -> None:
        self.workers = asyncio.Semaphore(workers)
        self.seconds, self.latency, self.spread = seconds, latency, spread
        self.chance = random.Random(5)
        self.log: list[tuple[float, float]] = []

    async def answer(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        way = self.latency * self.chance.lognormvariate(0.0, self.spread)
        await asyncio.sleep(way)
        async with self.workers:
            await asyncio.sleep(self.seconds * self.chance.lognormvariate(0.0, self.spread))
        self.log.append((loop.time(), loop.time() - began))

    def per_second(self, since: float) -> float:
        """Return calls a second from a moment on, without the last ones, which end alone."""
        moments = [moment for moment, _ in self.log if moment >= since]
        whole = moments[: len(moments) * 3 // 4]
        return len(whole) / (whole[-1] - since)

    def share(self, part: float, since: float) -> float:
        taken = sorted(seconds for moment, seconds in self.log if moment >= since)
        return taken[int(len(taken) * part)]


async def load(server: Server, limiter: Limiter, calls: int) -> None:
    async def call() -> None:
        async with limiter.slot() as slot:
            await server.answer()
            slot.good()

    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(call())


def loaded(make: Callable[[], Server], calls: int, *, watched: bool = True) -> tuple[Server, int]:
    async def main() -> tuple[Server, int]:
        server = make()
        limiter = Limiter("host", concurrency=SLOTS, watches_queue=watched)
        await load(server, limiter, calls)
        return server, limiter.statistics().level

    return run(main())


@pytest.mark.parametrize(
    ("workers", "seconds", "latency"), [(2, 0.004, 0.001), (8, 0.02, 0.005), (24, 0.01, 0.02)]
)
def test_a_server_of_ones_own_is_loaded_and_not_flooded(
    workers: int, seconds: float, latency: float
) -> None:
    server, _ = loaded(lambda: Server(workers, seconds, latency), 5_000)
    flooded, _ = loaded(lambda: Server(workers, seconds, latency), 2_000, watched=False)
    since = server.log[2000][0]
    assert server.per_second(since) >= 0.9 * workers / seconds
    assert server.share(0.99, since) <= 10 * (seconds + latency)
    assert flooded.share(0.99, flooded.log[1000][0]) > server.share(0.99, since)


@pytest.mark.parametrize("kinds", [1, 2])
def test_a_server_beside_a_busy_client_is_as_fast_as_at_the_best_level(kinds: int) -> None:
    def took(most: int, *, watched: bool) -> tuple[float, float]:
        async def main() -> tuple[float, float]:
            server = Server(2, 0.0015, 0.0002, spread=0.7)
            own_work = asyncio.Semaphore(1)
            times = Known()
            limiters = [
                Limiter("host", concurrency=most, watches_queue=watched, known=times)
                for _ in range(kinds)
            ]

            async def call(number: int) -> None:
                async with limiters[number % kinds].slot() as slot:
                    await server.answer()
                    async with own_work:
                        await asyncio.sleep(0.001)
                    slot.good()

            async with asyncio.TaskGroup() as group:
                for number in range(4000):
                    group.create_task(call(number))
            return server.log[-1][0], server.share(0.99, 0.0)

        return run(main())

    seconds, slowest = took(64, watched=True)
    best = min(took(level, watched=False)[0] for level in (4, 16))
    alone = took(1, watched=False)[0] / 4000
    assert seconds <= 1.1 * best
    assert slowest <= 10 * alone


@pytest.mark.parametrize("spread", [0.05, 0.5, 1.0])
def test_a_service_with_room_gets_all_slots_however_its_answers_vary(spread: float) -> None:
    server, level = loaded(lambda: Server(10_000, 0.001, 0.05, spread), 6_000)
    # It is at a lower level on trial, at most.
    assert level >= int(SLOTS / 1.5)
    usual = SLOTS / (sum(seconds for _, seconds in server.log) / len(server.log))
    assert server.per_second(server.log[1500][0]) >= 0.9 * usual


def test_all_slots_are_found_soon() -> None:
    _, level = loaded(lambda: Server(10_000, 0.001, 0.05, 0.1), 600)
    assert level == SLOTS


def test_a_server_that_grows_is_found_to_have_grown() -> None:
    async def main() -> tuple[float, float]:
        server = Server(2, 0.01)
        limiter = Limiter("host", concurrency=SLOTS, watches_queue=True)
        await load(server, limiter, 1000)
        before = server.per_second(server.log[500][0])
        for _ in range(30):
            server.workers.release()
        await load(server, limiter, 6_000)
        return before, server.per_second(server.log[4_000][0])

    before, after = run(main())
    assert after >= 8 * before


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 300)), max_size=400),
)
@settings(max_examples=50)
def test_the_level_keeps_within_its_bounds_whatever_calls_take(
    most: int, answers: list[tuple[float, int]]
) -> None:
    watch = QueueWatch(most)
    for seconds, level in answers:
        watch.answered(seconds, watch.level if level > 250 else level)
        assert 1 <= watch.level <= most
    watch.begin_anew()
    assert watch.level == min(FIRST_LEVEL, most)
