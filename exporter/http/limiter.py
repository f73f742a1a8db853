"""How many calls one host gets at once, and how fast: a limiter that finds its own level.

What always holds:

1. Never more than `concurrency` calls are in flight, nor more than the current level, except for
   calls that were already under way when the level fell.
2. Of the waiting calls, the one with the largest weight starts first, and among equals the one that
   asked first. The place or slot of a cancelled caller goes to the next one at once.
3. Nothing starts while the host is held (`Retry-After`), nor faster than the pace (`pace.py`).
4. The level grows only by good answers to calls that began when all slots were in use: by one slot
   per answer at the beginning (doubling each round trip), later by one per round trip.
5. A congestion event halves the level at most once: failures of calls that began before the last
   event do not count again.
6. A single failure is no congestion. Failures add up, and good answers reduce the sum. An event is
   five 429s, or three 503s and timeouts, more than `TOLERATED` of the answers. Otherwise the few
   random 503s of any large service would keep the level low (TCP halves on every loss; Mathis et
   al. 1997 put its level at 1.2/√share of loss: 12 slots at 1%).

7. If it watches the queue, there are never more slots than those that calls a second grow with
   (`queueing.py`).

There are two kinds of congestion. A 429 means *too fast*: the first such event sets the pace's
rate, and from then on a 429 lowers the rate, not the slots. Few slots with a short round trip may
still be too fast, and many with a long one too slow. A 503 or a timeout means *too much at once*,
and lowers the slots.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count

import structlog

from exporter.http.queueing import Known, QueueWatch
from exporter.http.rate import Pace, RateSample

INITIAL_LEVEL = 32
"""Slots at the beginning; two round trips later there may be four times as many."""
TOLERATED = 0.02
"""Share of failed answers that counts as noise."""
_ENOUGH_REFUSALS = 5.0
_ENOUGH_OVERLOADS = 3.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LimiterStatistics:
    """A moment of a limiter, frozen.

    `level` slots of at most `concurrency` may be used, `in_use` are used, and `waiting` callers
    want one. `rate` is the most calls started per second, set or learned; None if only the slots
    limit. `held_until` is the time after which a held host may be called again, in the event loop's
    seconds, or None. `events` counts congestion events so far.
    """

    host: str
    level: int
    concurrency: int
    in_use: int
    waiting: int
    rate: float | None
    held_until: float | None
    events: int


class Slot:
    """Permission for one call; its holder may report how the call went."""

    def __init__(self, limiter: Limiter, sample: RateSample, level: int) -> None:
        self._limiter = limiter
        self.sample = sample
        """The call as the pace sees it."""
        self.level = level
        """The slots there were when it began."""

    def good(self) -> None:
        """The host answered as it should."""
        self._limiter._good(self)  # noqa: SLF001 - the two are one mechanism

    def refused(self) -> None:
        """The host answered 429."""
        self._limiter._refused(self)  # noqa: SLF001

    def overloaded(self) -> None:
        """The host answered 503, or not in time."""
        self._limiter._overloaded(self)  # noqa: SLF001


class Limiter:
    """Gives out slots for calls to one host; belongs to one event loop.

    `concurrency` is the most slots ever, `requests_per_second` a fixed ceiling, if any. With
    `watches_queue` the slots are also bounded by what the times of calls say (`queueing`), compared
    with what is `known` of the host, if other limiters share it.
    """

    def __init__(
        self,
        host: str,
        *,
        concurrency: int,
        requests_per_second: float | None = None,
        watches_queue: bool = False,
        known: Known | None = None,
    ) -> None:
        self._queue = QueueWatch(concurrency, known) if watches_queue else None
        self._host = host
        self._concurrency = concurrency
        self._level = float(min(INITIAL_LEVEL, concurrency))
        self._additive_from = float(concurrency)
        """Below this level it doubles each round trip; above, it grows by one slot."""
        self._pace = Pace(requests_per_second)
        self._in_use = 0
        self._waiters: list[tuple[float, int, asyncio.Future[Slot]]] = []
        self._asked = count()
        self._away = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._held_until: float | None = None
        self._started = 0
        self._events = 0
        self._event_at = 0
        """Number of the first call begun after the last congestion event."""
        self._full_until = 0
        """Number of the first call begun after all slots were last in use."""
        self._refusals = 0.0
        self._overloads = 0.0
        self._last_good = (self._level, self._additive_from, self._pace.learned)
        """The level, the threshold of slow growth, and the rate, at the last good answer."""

    @property
    def _slots(self) -> int:
        """The slots that may be used now."""
        level = int(self._level)
        return level if self._queue is None else min(level, self._queue.level)

    @property
    def spare(self) -> bool:
        """Whether one more call could start right now without delaying another."""
        return (
            self._held_until is None
            and self._in_use + len(self._waiters) + self._away < self._slots
            and self._pace.next_start <= asyncio.get_running_loop().time()
        )

    @property
    def paced(self) -> bool:
        """Whether a rate limits the calls, or the host has just refused more than one of them."""
        return self._pace.rate is not None or self._refusals > 1.0

    def statistics(self) -> LimiterStatistics:
        """Return this moment's figures."""
        return LimiterStatistics(
            host=self._host,
            level=self._slots,
            concurrency=self._concurrency,
            in_use=self._in_use,
            waiting=len(self._waiters),
            rate=self._pace.rate,
            held_until=self._held_until,
            events=self._events,
        )

    @asynccontextmanager
    async def slot(self, weight: float = 0.0) -> AsyncIterator[Slot]:
        """Wait for a slot and hold it for the body of the `async with`.

        Cancelled while it waits, it gives up its place; cancelled in the body, its slot.
        """
        slot = await self._enter(weight)
        try:
            yield slot
        finally:
            self._ended()
            self._tell_pace()
            self._give()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Count a caller that has no slot at the moment, but will want one again."""
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1

    def hold(self, seconds: float) -> None:
        """Let no call start for so many seconds; a longer hold in force stays."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if seconds > 0 and until > (self._held_until or 0.0):
            self._held_until = until
            self._pace.held(seconds)
            self._tell_pace()
            loop.call_at(until, self._give)  # ends the hold even while nobody waits
            _log.warning("host_held", host=self._host, seconds=round(seconds, 3))

    def begin_anew(self) -> None:
        """Forget the failures since the last good answer: the host was down, not overloaded.

        The limiter starts with as many slots as at first, and grows back to its level as fast. The
        rate is the one of that last good answer.
        """
        level, self._additive_from, rate = self._last_good
        self._level = min(level, float(INITIAL_LEVEL))
        if self._queue is not None:
            self._queue.begin_anew()
        self._pace.begin_anew(rate, asyncio.get_running_loop().time())
        self._refusals = self._overloads = 0.0
        self._event_at = self._started
        self._give()

    def _tell_pace(self) -> None:
        wanted = self._in_use > 0 or bool(self._waiters)
        self._pace.run_clocks(
            asyncio.get_running_loop().time(), wanting=wanted, held=self._held_until is not None
        )

    async def _enter(self, weight: float) -> Slot:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Slot] = loop.create_future()
        entry = (-weight, next(self._asked), waiter)
        insort(self._waiters, entry)
        self._tell_pace()
        self._give()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._ended()
            elif entry in self._waiters:  # unless `_give` removed it first
                self._waiters.remove(entry)
            self._tell_pace()
            self._give()
            raise

    def _give(self) -> None:
        """Start as many waiting calls as may start now; come back when the next one may."""
        loop = asyncio.get_running_loop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        now = loop.time()
        if self._held_until is not None and now >= self._held_until:
            self._held_until = None
            self._tell_pace()
        while self._waiters and self._in_use < self._slots:
            may_start = max(self._held_until or now, self._pace.next_start)
            if may_start > now:
                self._alarm = loop.call_at(may_start, self._give)
                if self._held_until is None:
                    self._pace.made_wait()
                return
            waiter = self._waiters.pop(0)[-1]
            if waiter.cancelled():
                continue
            self._in_use += 1
            if self._queue is not None:
                self._queue.uses(now, self._in_use)
            full = self._in_use >= self._concurrency
            slots = self._slots
            waiter.set_result(Slot(self, self._pace.start(now, full=full), slots))
            self._started += 1
            if self._in_use >= slots:
                self._full_until = self._started

    def _ended(self) -> None:
        self._in_use -= 1
        if self._queue is not None:
            self._queue.uses(asyncio.get_running_loop().time(), self._in_use)

    def _good(self, slot: Slot) -> None:
        if self._queue is not None:
            now = asyncio.get_running_loop().time()
            self._queue.uses(now, self._in_use)
            self._queue.answered(now - slot.sample.began_at, slot.level)
        self._pace.accepted(slot.sample, self._in_use)
        self._refusals = max(0.0, self._refusals - TOLERATED)
        self._overloads = max(0.0, self._overloads - TOLERATED)
        self._last_good = (self._level, self._additive_from, self._pace.learned)
        if slot.sample.number >= self._full_until:
            return
        if not self._is_news(slot):
            return
        doubling = self._level < self._additive_from
        self._level = min(
            float(self._concurrency), self._level + (1.0 if doubling else 1.0 / self._level)
        )

    def _refused(self, slot: Slot) -> None:
        now = asyncio.get_running_loop().time()
        self._pace.failed(slot.sample)
        if self._pace.learned is not None:
            if self._pace.slow_down(slot.sample, now, self._in_use):
                self._event("rate")
        elif self._is_news(slot):
            self._refusals += 1.0
            if self._refusals >= _ENOUGH_REFUSALS:
                self._pace.learn(slot.sample, now, self._in_use)
                # From here on the pace protects the host, so the slots may grow fast again.
                self._additive_from = self._level
                self._level = max(1.0, self._slots / 2)
                self._event("slots and rate")

    def _overloaded(self, slot: Slot) -> None:
        self._pace.failed(slot.sample)
        if self._is_news(slot):
            self._overloads += 1.0
            if self._overloads >= _ENOUGH_OVERLOADS:
                self._level = self._additive_from = max(1.0, self._slots / 2)
                self._event("slots")

    def _is_news(self, slot: Slot) -> bool:
        return slot.sample.number >= self._event_at

    def _event(self, what: str) -> None:
        self._events += 1
        self._event_at = self._started
        self._refusals = self._overloads = 0.0
        rate = self._pace.rate
        _log.info(
            "limiter_lowered",
            host=self._host,
            lowered=what,
            level=int(self._level),
            rate=None if rate is None else round(rate, 2),
        )
