"""A host that answers nobody: its calls wait, one at a time asks, and nobody's attempts are spent.

All on virtual time: a quarter of an hour takes no longer than a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import OutageError
from exporter.http.faults import Fault
from exporter.http.limiter import INITIAL_LEVEL, Limiter
from exporter.http.outage import LONGEST_PAUSE, Attempts, HostWatch
from exporter.http.silence import FIRST_CONTACT, QUIET
from tests.api import virtual_time

RESET = Fault("reset", "the connection broke", kind="unreachable", passing=True)
REFUSED = Fault("refused", "the connection was refused", kind="unreachable", passing=True)
DOWN = Fault("http_503", "the API answered 503", kind="status", passing=True, http_status=503)
LIMITED = Fault("http_429", "too many", kind="status", passing=True, http_status=429)
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
    probes: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    probing: int = 0

    def __post_init__(self) -> None:
        self.watch = HostWatch("registry.example", self.limit)

    def _fault(self, listing: str) -> Fault | None:
        now = asyncio.get_running_loop().time()
        fails = self.down[0] <= now < self.down[1] or listing in self.broken
        return self.fault if fails else None

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
                await asyncio.sleep(0.2)
        return attempts.used

    async def later(self, seconds: float, listing: str = "a") -> int:
        await asyncio.sleep(seconds)
        return await self.call(listing)


def gather(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def all_of_it() -> list[Any]:
        return await asyncio.gather(*work, return_exceptions=True)

    return virtual_time.run(all_of_it())


@pytest.mark.parametrize("fault", [RESET, DOWN, REFUSED], ids=lambda fault: fault.reason)
def test_in_an_outage_calls_wait_and_one_at_a_time_asks_and_no_attempt_is_used_up(
    fault: Fault,
) -> None:
    host = Host(down=(10.0, 700.0), fault=fault)
    used = gather(host.call(), *(host.later(10.0 + n / 10) for n in range(30)))
    assert used == [0] * 31
    during = [at for at in host.calls if 10.0 <= at < 700.0]
    assert len(during) <= 8, "calls hammer a host that is down"
    pauses = [after - before for before, after in zip(host.probes, host.probes[1:], strict=False)]
    assert pauses[0] < 1.0
    assert max(pauses) <= 1.2 * LONGEST_PAUSE + 0.1
    assert 20 < len(host.probes) < 60
    assert max(host.calls) < 700.0 + 1.2 * LONGEST_PAUSE + 1.0


def test_an_outage_past_the_limit_ends_every_call_with_the_host_the_time_and_the_reason() -> None:
    host = Host(down=(10.0, 1e9))
    with capture_logs() as logs:
        first, *rest = gather(host.call(), *(host.later(10.0 + n) for n in range(5)))
    assert first == 0
    assert all(isinstance(error, OutageError) for error in rest)
    assert "registry.example has not answered for 15 minutes" in str(rest[0])
    assert "limits.outage" in str(rest[0])
    assert "the connection broke" in str(rest[0])
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


def test_a_429_is_no_outage() -> None:
    host = Host(fault=LIMITED, broken=frozenset({"a"}))
    assert gather(host.call()) == [host.most]
    assert host.probes == []


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
    first, error = gather(host.call(), host.later(5.0))
    assert first == 0
    assert isinstance(error, OutageError)
    assert len(host.calls) == 1 + host.most
    assert len(host.probes) == 1


def test_a_call_that_is_cancelled_while_it_waits_leaves_the_others_waiting() -> None:
    host = Host(down=(10.0, 100.0))

    async def scenario() -> tuple[list[int | BaseException], bool]:
        await host.call()
        await asyncio.sleep(10.0)
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
        await host.call()
        await asyncio.sleep(10.0)
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
