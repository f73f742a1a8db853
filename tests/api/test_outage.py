"""A host that answers nobody: its calls wait, one at a time asks, and nobody's attempts are spent.

All on virtual time: a quarter of an hour takes no longer than a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import OutageError
from exporter.http.faults import Fault
from exporter.http.level import INITIAL_LEVEL
from exporter.http.limiter import Limiter
from exporter.http.outage import LONGEST_PAUSE, Attempts, HostWatch
from exporter.http.silence import FIRST_CONTACT, LONGEST_PUT_OFF, QUIET
from tests.api import virtual_time

RESET = Fault("reset", "the connection broke", kind="unreachable", passing=True)
REFUSED = Fault("refused", "the connection was refused", kind="unreachable", passing=True)
DOWN = Fault("http_503", "the API answered 503", kind="status", passing=True, http_status=503)
LIMITED = Fault("http_429", "too many", kind="status", passing=True, http_status=429)
UNCHECKED = replace(LIMITED, reason="http_403", http_status=403, code="UNAVAILABLE")
LIMIT = 900.0


@dataclass
class Host:
    """A host that is down between two moments, and those who call it, an answer taking 0.1 s."""

    down: tuple[float, float] = (0.0, 0.0)
    fault: Fault = RESET
    broken: frozenset[str] = frozenset()
    """Listings that fail all the same."""
    limit: float = LIMIT
    most: int = 8
    pause: float = 0.2
    """Seconds between two attempts."""
    probes: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    probing: int = 0

    def __post_init__(self) -> None:
        self._held_until: float | None = None
        self.watch = HostWatch("registry.example", self.limit, held_until=lambda: self._held_until)

    def _fault(self, listing: str) -> Fault | None:
        now = asyncio.get_running_loop().time()
        if not (self.down[0] <= now < self.down[1] or listing in self.broken):
            return None
        if self.fault.retry_after:
            self._held_until = now + self.fault.retry_after
        return self.fault

    async def _probe(self, listing: str) -> Fault | None:
        self.probing += 1
        assert self.probing == 1, "two probes at a time"
        self.probes.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        self.probing -= 1
        return self._fault(listing)

    async def call(self, listing: str = "a") -> int:
        """Make a call as the client does; return how many attempts it has used up."""
        attempts = Attempts(self.most)
        while attempts.used < attempts.most:
            await self.watch.ready(attempts)
            began = asyncio.get_running_loop().time()
            self.calls.append(began)
            await asyncio.sleep(0.1)
            fault = self._fault(listing)
            if fault is None:
                self.watch.answered()
                self.watch.proves(lambda _seconds: self._probe(listing))
                return attempts.used
            probe = lambda _seconds: self._probe(listing)  # noqa: E731
            if not await self.watch.failed(attempts, began, fault, probe):
                await asyncio.sleep(self.pause)
        return attempts.used

    async def later(self, seconds: float, listing: str = "a") -> int:
        await asyncio.sleep(seconds)
        return await self.call(listing)

    async def until_down(self) -> None:
        """Be answered once, and wait for the moment from which the host is down."""
        assert await self.call() == 0
        await asyncio.sleep(self.down[0])

    @property
    def pauses(self) -> list[float]:
        """The seconds between two probes."""
        return [at - before for before, at in zip(self.probes, self.probes[1:], strict=False)]


def gather(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def all_of_it() -> list[Any]:
        return await asyncio.gather(*work, return_exceptions=True)

    return virtual_time.run(all_of_it())


def in_outage(host: Host, *moments: float) -> list[Any]:
    """Make a call that is answered, and one at each of the moments; return how these went."""
    first, *others = gather(host.call(), *map(host.later, moments))
    assert first == 0
    return others


@pytest.mark.parametrize("fault", [RESET, DOWN, REFUSED], ids=lambda fault: fault.reason)
def test_in_an_outage_calls_wait_and_one_at_a_time_asks_and_no_attempt_is_used_up(
    fault: Fault,
) -> None:
    host = Host(down=(10.0, 700.0), fault=fault)
    assert in_outage(host, *(10.0 + n / 10 for n in range(30))) == [0] * 30
    during = [at for at in host.calls if 10.0 <= at < 700.0]
    assert len(during) <= 8, "calls hammer a host that is down"
    assert host.pauses[0] < 1.0
    assert max(host.pauses) <= 1.2 * LONGEST_PAUSE + 0.1
    assert 20 < len(host.probes) < 60
    assert max(host.calls) < 700.0 + 1.2 * LONGEST_PAUSE + 1.0


def test_an_outage_past_the_limit_ends_every_call_with_the_host_the_time_and_the_reason() -> None:
    host = Host(down=(10.0, 1e9))
    with capture_logs() as logs:
        errors = in_outage(host, *(10.0 + n for n in range(5)))
    assert all(isinstance(error, OutageError) for error in errors)
    assert "registry.example has not answered for 15 minutes" in str(errors[0])
    assert "limits.outage" in str(errors[0])
    assert "the connection broke" in str(errors[0])
    assert 900.0 <= max(host.probes) + 0.1 - 10.0 <= 900.0 + LONGEST_PAUSE
    told = [log for log in logs if log["event"] == "host_does_not_answer"]
    assert len(told) == 1
    assert told[0]["since"] < told[0]["trying_until"]


def test_a_listing_that_fails_while_its_host_answers_another_is_no_outage() -> None:
    host = Host(broken=frozenset({"b"}))
    used = gather(host.call("a"), host.later(1.0, "b"))
    assert used == [0, host.most]
    assert len(host.calls) == 1 + host.most
    assert max(host.calls) < 10.0


def test_calls_that_are_put_off_for_a_while_spend_attempts_and_are_no_outage() -> None:
    host = Host(down=(10.0, 11.0), fault=LIMITED)
    used = in_outage(host, 10.0, 10.1, 10.2)
    assert all(0 < each < host.most for each in used)
    assert host.probes == []


@pytest.mark.parametrize("fault", [LIMITED, UNCHECKED], ids=lambda fault: fault.reason)
def test_where_every_call_is_put_off_they_wait_and_no_attempt_is_used_up(fault: Fault) -> None:
    host = Host(down=(10.0, 700.0), fault=fault)
    assert in_outage(host, 10.0, 10.1, 10.2) == [0] * 3
    assert 20 < len(host.probes) < 60
    during = [at for at in host.calls if 10.0 <= at < 700.0]
    assert len(during) <= 3 * host.most


def test_where_every_call_is_put_off_for_too_long_the_run_ends_and_says_so() -> None:
    host = Host(down=(10.0, 1e9), fault=LIMITED)
    (error,) = in_outage(host, 10.0)
    assert isinstance(error, OutageError)
    assert "registry.example has refused every call for 15 minutes" in str(error)
    assert "(too many); check the quota" in str(error)
    assert 900.0 <= max(host.probes) - 10.0 <= 900.0 + LONGEST_PAUSE


def test_no_probe_is_sent_while_the_host_asks_to_be_let_alone() -> None:
    host = Host(down=(10.0, 700.0), fault=replace(LIMITED, retry_after=60.0), pause=60.0)
    assert in_outage(host, 10.0) == [0]
    assert 5 < len(host.probes) < 12
    assert host.probes[0] - max(at for at in host.calls if at < host.probes[0]) >= 60.0
    assert min(host.pauses) >= 60.0


def test_calls_that_a_slow_pace_keeps_from_their_last_attempt_wait_all_the_same() -> None:
    host = Host(down=(10.0, 300.0), fault=LIMITED, pause=15.0)
    assert in_outage(host, 10.0, 11.0) == [0, 0]
    assert LONGEST_PUT_OFF <= host.probes[0] - 10.0 < 3 * 15.0


def test_a_listing_that_is_put_off_for_ever_while_others_are_answered_fails_alone() -> None:
    host = Host(broken=frozenset({"b"}), fault=LIMITED)
    assert gather(host.call("a"), host.later(1.0, "b")) == [0, host.most]
    assert len(host.calls) == 1 + host.most
    assert len(host.probes) == 1


def test_an_address_without_a_connection_since_the_start_is_given_up_sooner_and_told_at_once() -> (
    None
):
    host = Host(down=(0.0, 1e9), fault=REFUSED)
    with capture_logs() as logs:
        (error,) = gather(host.call())
    assert isinstance(error, OutageError)
    assert FIRST_CONTACT <= max(host.probes) + 0.1 < FIRST_CONTACT + 1.0
    assert [log["reason"] for log in logs if log["event"] == "host_does_not_answer"] == [
        "the connection was refused"
    ]
    assert host.probes[0] < QUIET


def test_with_no_time_for_outages_all_attempts_are_made_and_the_run_ends() -> None:
    host = Host(down=(5.0, 1e9), limit=0.0)
    (error,) = in_outage(host, 5.0)
    assert isinstance(error, OutageError)
    assert len(host.calls) == 1 + host.most
    assert len(host.probes) == 1


def test_a_call_that_is_cancelled_while_it_waits_leaves_the_others_waiting() -> None:
    host = Host(down=(10.0, 100.0))

    async def scenario() -> tuple[list[int | BaseException], bool]:
        await host.until_down()
        waiting = [asyncio.create_task(host.call()) for _ in range(3)]
        await asyncio.sleep(20.0)
        waiting[0].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        return results[1:], isinstance(results[0], asyncio.CancelledError)

    used, cancelled = virtual_time.run(scenario())
    assert cancelled
    assert used == [0, 0]


def test_an_answer_to_a_call_from_before_the_outage_ends_the_waiting() -> None:
    host = Host(down=(10.0, 16.0))

    async def scenario() -> float:
        await host.until_down()
        waiting = asyncio.create_task(host.call())
        await asyncio.sleep(6.0)
        host.watch.answered()  # What was under way for long arrives, before the next probe.
        await waiting
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scenario()) < 16.4


def test_after_an_outage_the_limiter_is_not_where_failures_had_taken_it() -> None:
    async def scenario() -> tuple[int, int, int]:
        limiter = Limiter("registry.example", concurrency=64)

        async def one(*, good: bool) -> None:
            async with limiter.slot() as slot:
                await asyncio.sleep(0.1)
                slot.good() if good else slot.overloaded()

        for _ in range(5):
            await asyncio.gather(*(one(good=True) for _ in range(64)))
        before = limiter.statistics().level
        for _ in range(5):
            await asyncio.gather(*(one(good=False) for _ in range(64)))
        down = limiter.statistics().level
        limiter.begin_anew()
        return before, down, limiter.statistics().level

    before, down, after = virtual_time.run(scenario())
    assert before == 64
    assert down < 8
    assert after == INITIAL_LEVEL


def test_after_a_storm_of_refusals_calls_are_as_fast_as_before_it() -> None:
    async def scenario() -> tuple[float | None, float | None, float]:
        limiter = Limiter("registry.example", concurrency=8)
        loop = asyncio.get_running_loop()

        async def calls(count: int, *, refused: bool) -> float:
            began = loop.time()
            for _ in range(count):
                async with limiter.slot() as slot:
                    await asyncio.sleep(0.1)
                    slot.refused() if refused else slot.good()
            return loop.time() - began

        await calls(100, refused=False)
        await calls(30, refused=True)
        slow = limiter.statistics().rate
        limiter.begin_anew()
        took = await calls(100, refused=False)
        return slow, limiter.statistics().rate, took

    slow, rate, took = virtual_time.run(scenario())
    assert slow is not None
    assert slow < 5.0
    assert rate is None
    assert took == pytest.approx(100 * 0.1)
