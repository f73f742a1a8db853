"""The limiter's promises, on virtual time: slots, order, holds, and the level it finds."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from exporter.http.level import INITIAL_LEVEL
from exporter.http.limiter import Limiter, Slot
from tests.api.virtual_time import run


@dataclass
class Host:
    """A service with a token bucket, a round trip and its troubles; `log` has (moment, status)."""

    rate: float | None = None
    burst: float = 1.0
    round_trip: float = 0.05
    retry_after: float = 0.0
    at_once: int = 10_000
    faults: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    log: list[tuple[float, int]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    _level: float | None = None
    _filled_at: float = 0.0

    async def answer(self) -> int:
        round_trip = self.round_trip * self.chance.uniform(0.9, 1.1)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(round_trip / 2)
        now = asyncio.get_running_loop().time()
        status = self._judge(now)
        self.log.append((now, status))
        await asyncio.sleep(round_trip / 2)
        self.in_flight -= 1
        return status

    def _judge(self, now: float) -> int:
        if self.in_flight > self.at_once:
            return 503
        if self.chance.random() < self.faults:
            return self.chance.choice([429, 503])
        if self.rate is None:
            return 200
        level = self.burst if self._level is None else self._level
        level = min(self.burst, level + (now - self._filled_at) * self.rate)
        self._filled_at = now
        self._level = level - (level >= 1)
        return 200 if level >= 1 else 429

    def accepted_per_second(self, begin: float, end: float) -> float:
        return self._count(200, begin, end) / (end - begin)

    def share_refused(self, begin: float, end: float) -> float:
        answers = sum(begin <= moment < end for moment, _ in self.log)
        return self._count(429, begin, end) / answers

    def _count(self, wanted: int, begin: float, end: float) -> int:
        return sum(begin <= moment < end and status == wanted for moment, status in self.log)


async def call(limiter: Limiter, host: Host) -> bool:
    """Make one call; return whether it was answered well."""
    async with limiter.slot() as slot:
        status = await host.answer()
        if status == 429:
            slot.refused()
            limiter.hold(host.retry_after)
        elif status == 503:
            slot.overloaded()
        else:
            slot.good()
        return status == 200


def drive(
    host: Host,
    limiter: Limiter,
    *,
    seconds: float,
    callers: int = 80,
    changes: dict[float, Callable[[], None]] | None = None,
) -> None:
    """Have so many callers ask without a pause for so many virtual seconds."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def caller() -> None:
            while True:
                await call(limiter, host)

        for moment, change in (changes or {}).items():
            loop.call_at(moment, change)
        tasks = [asyncio.create_task(caller()) for _ in range(callers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


@pytest.mark.parametrize(
    ("rate", "round_trip"),
    [(5, 0.005), (5, 0.2), (20, 0.05), (50, 0.2), (100, 0.005), (100, 0.05), (200, 0.2)],
)
def test_it_settles_within_a_tenth_of_what_is_allowed_with_few_refusals(
    rate: int, round_trip: float
) -> None:
    host = Host(rate=rate, burst=rate, round_trip=round_trip)
    limiter = Limiter("host", concurrency=64)
    drive(host, limiter, seconds=30)
    assert host.accepted_per_second(10, 30) == pytest.approx(rate, rel=0.1)
    assert host.share_refused(10, 30) < 0.02
    assert host.most_in_flight <= 64


@pytest.mark.parametrize("rate", [20, 100])
def test_it_settles_where_every_refusal_asks_for_a_pause(rate: int) -> None:
    host = Host(rate=rate, burst=rate, round_trip=0.05, retry_after=1.0)
    limiter = Limiter("host", concurrency=64)
    drive(host, limiter, seconds=40)
    assert host.accepted_per_second(10, 40) == pytest.approx(rate, rel=0.1)
    assert host.share_refused(10, 40) < 0.02


@pytest.mark.parametrize("burst", [5, 500])
def test_it_settles_however_deep_the_bucket_is(burst: int) -> None:
    host = Host(rate=50, burst=burst)
    limiter = Limiter("host", concurrency=64)
    drive(host, limiter, seconds=60)
    assert host.accepted_per_second(20, 60) == pytest.approx(50, rel=0.1)
    assert host.share_refused(20, 60) < 0.02


def test_it_yields_when_the_host_allows_less_and_grows_back_when_it_allows_more() -> None:
    host = Host(rate=100, burst=100)
    limiter = Limiter("host", concurrency=32)

    def allow(rate: float) -> Callable[[], None]:
        def change() -> None:
            host.rate = host.burst = rate

        return change

    drive(host, limiter, seconds=105, changes={15: allow(20), 50: allow(100)})
    assert host.accepted_per_second(10, 15) == pytest.approx(100, rel=0.1)
    assert host.accepted_per_second(25, 50) == pytest.approx(20, rel=0.1)
    assert host.share_refused(25, 50) < 0.02
    assert host.accepted_per_second(85, 105) == pytest.approx(100, rel=0.1)
    assert host.share_refused(85, 105) < 0.02


def test_a_limit_that_is_lifted_is_forgotten() -> None:
    host = Host(rate=100, burst=100)
    limiter = Limiter("host", concurrency=32)

    def lift() -> None:
        assert limiter.statistics().rate is not None
        host.rate = None

    drive(host, limiter, seconds=36, changes={12: lift})
    assert host.accepted_per_second(6, 12) == pytest.approx(100, rel=0.1)
    assert host.accepted_per_second(34, 36) == pytest.approx(32 / 0.05, rel=0.05)
    assert limiter.statistics().rate is None


def test_a_host_that_takes_few_calls_at_once_is_given_few() -> None:
    host = Host(at_once=8)
    limiter = Limiter("host", concurrency=64)
    drive(host, limiter, seconds=20)
    assert 4 <= limiter.statistics().level <= 10
    assert host.accepted_per_second(10, 20) > 0.5 * 8 / 0.05


def test_a_host_that_recovers_is_given_every_slot_again() -> None:
    host = Host(at_once=4)
    limiter = Limiter("host", concurrency=64)
    levels = []

    def recover() -> None:
        levels.append(limiter.statistics().level)
        host.at_once = 10_000

    drive(host, limiter, seconds=12, changes={3: recover})
    assert levels[0] <= 6
    assert limiter.statistics().level == 64


def test_stray_failures_cost_no_slots() -> None:
    host = Host(faults=0.01)
    limiter = Limiter("host", concurrency=64)
    drive(host, limiter, seconds=5)
    assert host.accepted_per_second(0, 5) > 0.9 * 64 / 0.05
    assert limiter.statistics().events == 0


def run_through(host: Host, limiter: Limiter, calls: int, callers: int) -> float:
    """Have so many callers make so many calls, refused ones again; return the virtual seconds."""

    async def main() -> float:
        left = iter(range(calls))

        async def caller() -> None:
            for _ in left:
                while not await call(limiter, host):
                    pass

        await asyncio.gather(*(caller() for _ in range(callers)))
        return asyncio.get_running_loop().time()

    return run(main())


@pytest.mark.parametrize(
    ("concurrency", "round_trip", "retry_after"),
    [(32, 0.05, 1.0), (64, 0.05, 0.0), (64, 0.05, 1.0), (64, 0.005, 1.0)],
)
def test_a_short_run_is_refused_few_calls(
    concurrency: int, round_trip: float, retry_after: float
) -> None:
    host = Host(rate=30, burst=30, round_trip=round_trip, retry_after=retry_after)
    seconds = run_through(host, Limiter("host", concurrency=concurrency), 2000, concurrency)
    assert seconds < 1.05 * (2000 - 30) / 30
    assert host.share_refused(0, seconds) < 0.02


def test_a_limit_is_met_with_few_calls_under_way() -> None:
    host = Host(rate=30, burst=30, retry_after=1.0)
    run_through(host, Limiter("host", concurrency=64), 100, 64)
    assert [status for _, status in host.log].count(429) < 20


def test_a_bucket_that_held_less_than_a_second_of_calls_slows_no_run() -> None:
    host = Host(rate=100, burst=5)
    assert run_through(host, Limiter("host", concurrency=64), 2000, 64) < 1.2 * 2000 / 100


@pytest.mark.parametrize("round_trip", [0.01, 0.05, 0.2])
def test_every_slot_of_a_host_without_a_limit_is_soon_in_use(round_trip: float) -> None:
    host = Host(round_trip=round_trip)
    drive(host, Limiter("host", concurrency=64), seconds=1.5)
    assert host.accepted_per_second(1.0, 1.5) > 0.9 * 64 / round_trip


def test_the_level_doubles_at_first_though_each_round_trip_ends_before_the_next_begins() -> None:
    host = Host(round_trip=1.0)
    limiter = Limiter("host", concurrency=256)

    async def main() -> None:
        for _ in range(3):
            await asyncio.gather(*(call(limiter, host) for _ in range(limiter.statistics().level)))

    run(main())
    assert limiter.statistics().level == 8 * INITIAL_LEVEL


def test_two_calls_under_way_that_are_refused_in_a_row_are_an_event() -> None:
    async def main(*, at_once: bool) -> float | None:
        limiter = Limiter("host", concurrency=8)

        async def fail() -> None:
            async with limiter.slot() as slot:
                await asyncio.sleep(0.05)
                slot.refused()

        if at_once:
            await asyncio.gather(fail(), fail())
        else:
            await fail()
            await fail()
        return limiter.statistics().rate

    assert run(main(at_once=True)) is not None
    assert run(main(at_once=False)) is None


def test_a_host_that_was_down_is_begun_with_anew() -> None:
    """Whoever starts it again may have put it behind a limit."""

    async def main() -> int:
        host, limiter = Host(), Limiter("host", concurrency=256)
        await asyncio.gather(*(call(limiter, host) for _ in range(500)))
        await asyncio.sleep(10)
        limiter.begin_anew()
        host.log.clear()
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(call(limiter, host) for _ in range(100)))
        return sum(moment - began < 0.1 for moment, _ in host.log)

    assert run(main()) < 50


def test_the_level_does_not_grow_by_calls_that_did_not_need_it() -> None:
    limiter = Limiter("host", concurrency=256)
    drive(Host(), limiter, seconds=10, callers=3)
    assert limiter.statistics().level == INITIAL_LEVEL


@pytest.mark.parametrize("say", [Slot.overloaded, Slot.refused], ids=["503", "429"])
def test_the_failures_of_one_event_halve_the_level_once(say: Callable[[Slot], None]) -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=16)
        together = asyncio.Barrier(16)

        async def fail() -> None:
            async with limiter.slot() as slot:
                await together.wait()
                say(slot)

        with capture_logs() as logs:
            await asyncio.gather(*(fail() for _ in range(16)))
        assert limiter.statistics().level == 8
        assert limiter.statistics().events == 1
        assert [log["event"] for log in logs] == ["limiter_lowered"]

    run(main())


def test_what_waits_for_the_most_starts_first() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=1)
        order = []

        async def ask(weight: float) -> None:
            async with limiter.slot(weight):
                order.append(weight)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(ask(weight) for weight in (1, 2, 9, 4, 9, 0)))
        assert order == [1, 9, 9, 4, 2, 0]

    run(main())


def test_one_more_call_is_spare_where_it_makes_no_other_wait() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=4, requests_per_second=10)
        seen = [limiter.spare]
        async with limiter.slot():
            seen.append(limiter.spare)
            await asyncio.sleep(0.2)
            seen.append(limiter.spare)
        limiter.hold(1.0)
        seen.append(limiter.spare)
        await asyncio.sleep(1.1)
        seen.append(limiter.spare)
        assert seen == [True, False, True, False, True]

    run(main())


def test_a_caller_who_will_come_back_leaves_no_place_to_spare() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=2)
        spare = []
        with limiter.away():
            spare.append(limiter.spare)
            async with limiter.slot():
                spare.append(limiter.spare)
        spare.append(limiter.spare)
        assert spare == [True, False, True]

    run(main())


def test_calls_count_once_a_host_has_refused_more_than_one_of_them() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=8)
        paced = []
        for _ in range(2):
            async with limiter.slot() as slot:
                slot.refused()
            paced.append(limiter.paced)
        for _ in range(100):
            async with limiter.slot() as slot:
                slot.good()
        assert [*paced, limiter.paced] == [False, True, False]
        assert limiter.statistics().rate is None

    run(main())


def test_of_equals_whoever_asked_first_starts_first() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=2)
        order = []

        async def ask(number: int) -> None:
            async with limiter.slot():
                order.append(number)
                await asyncio.sleep(0.01 * (number % 3))

        await asyncio.gather(*(ask(number) for number in range(50)))
        assert order == list(range(50))

    run(main())


def test_a_caller_that_is_cancelled_leaves_nothing_behind() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=1)
        chance = random.Random(3)
        served = 0

        async def ask() -> None:
            nonlocal served
            async with limiter.slot():
                await asyncio.sleep(chance.random())
                served += 1

        callers = [asyncio.create_task(ask()) for _ in range(100)]
        while not all(caller.done() for caller in callers):
            await asyncio.sleep(chance.random())
            chance.choice(callers).cancel()
        assert 0 < served < 100
        statistics = limiter.statistics()
        assert (statistics.in_use, statistics.waiting) == (0, 0)
        async with asyncio.timeout(0), limiter.slot():
            pass

    run(main())


def test_all_who_wait_can_be_cancelled_together() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=3)
        callers = [asyncio.create_task(call(limiter, Host())) for _ in range(50)]
        await asyncio.sleep(0.2)
        for caller in callers:
            caller.cancel()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {bool, asyncio.CancelledError}
        statistics = limiter.statistics()
        assert (statistics.in_use, statistics.waiting) == (0, 0)

    run(main())


def test_a_slot_given_at_the_moment_of_cancelling_goes_to_the_next() -> None:
    async def main() -> None:
        limiter = Limiter("host", concurrency=1)

        async def ask() -> str:
            async with limiter.slot():
                return "served"

        async with limiter.slot():
            first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
            await asyncio.sleep(0)
        # The slot is the first one's by now, though it has not run yet.
        first.cancel()
        assert await second == "served"
        with pytest.raises(asyncio.CancelledError):
            await first
        assert limiter.statistics().in_use == 0

    run(main())


def test_a_held_host_is_asked_nothing_until_the_hold_is_over() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter("host", concurrency=8)
        limiter.hold(30)
        limiter.hold(5)
        assert limiter.statistics().held_until == 30
        spare = [limiter.spare]
        async with limiter.slot():
            assert loop.time() == 30
            assert limiter.statistics().held_until is None
            spare.append(limiter.spare)
        limiter.hold(10)
        await asyncio.sleep(10.1)
        spare.append(limiter.spare)
        assert spare == [False, True, True]

    run(main())


@pytest.mark.parametrize("rate", [0.5, 7, 300])
def test_a_fixed_rate_is_kept_in_every_second(rate: float) -> None:
    host = Host(round_trip=0.01)
    limiter = Limiter("host", concurrency=64, requests_per_second=rate)
    seconds = max(10.0, 10 / rate)
    drive(host, limiter, seconds=seconds)
    moments = [moment for moment, _ in host.log]
    assert len(moments) == pytest.approx(rate * seconds, rel=0.05, abs=1.5)
    window = max(1.0, 1 / rate)
    for index, begin in enumerate(moments):
        within = bisect_left(moments, begin + window) - index
        assert within <= rate * (window + 0.06) + 2
    assert limiter.statistics().rate == rate


def test_an_idle_while_is_not_made_up_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter("host", concurrency=64, requests_per_second=10)
        await asyncio.sleep(100)
        starts = []
        for _ in range(11):
            async with limiter.slot():
                starts.append(loop.time() - 100)
        assert starts[-1] == pytest.approx(1.0, abs=0.06)

    run(main())


def test_the_statistics_tell_what_waits_and_what_is_under_way() -> None:
    async def main() -> None:
        limiter = Limiter("api.example", concurrency=2)
        callers = [asyncio.create_task(call(limiter, Host())) for _ in range(5)]
        await asyncio.sleep(0.01)
        statistics = limiter.statistics()
        assert (statistics.host, statistics.level, statistics.concurrency) == ("api.example", 2, 2)
        assert (statistics.in_use, statistics.waiting) == (2, 3)
        assert not limiter.spare
        await asyncio.gather(*callers)
        assert limiter.spare

    run(main())
