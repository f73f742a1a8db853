"""How many calls one host gets at once, and how fast: a limiter that finds its own level.

What always holds:

1. Never more than `concurrency` calls are in flight, nor more than the current level, except for
   calls that were already under way when the level fell.
2. Of the waiting calls, the one with the largest weight starts first, and among equals the one that
   asked first. The place or slot of a cancelled caller goes to the next one at once.
3. Nothing starts while the host is held (`Retry-After`), nor faster than the pace (`rate.py`).

`level.py` says how the level grows and falls.
"""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count

import structlog

from exporter.http.level import Level
from exporter.http.queueing import Known, QueueWatch
from exporter.http.rate import FIRST_PACE, Pace, RateSample

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
        self._host = host
        self._concurrency = concurrency
        queue = QueueWatch(concurrency, known) if watches_queue else None
        # With a queue watch, the calls begin one by one.
        self._pace = Pace(requests_per_second, FIRST_PACE if queue is None else math.inf)
        self._level = Level(host, concurrency, self._pace, queue)
        self._in_use = 0
        self._waiters: list[tuple[float, int, asyncio.Future[Slot]]] = []
        self._asked = count()
        self._away = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._held_until: float | None = None

    @property
    def spare(self) -> bool:
        """Whether one more call could start right now without delaying another."""
        return (
            self._held_until is None
            and self._in_use + len(self._waiters) + self._away < self._level.slots
            and self._pace.next_start <= asyncio.get_running_loop().time()
        )

    @property
    def paced(self) -> bool:
        """Whether a rate limits the calls, or the host has just refused more than one of them."""
        return self._pace.rate is not None or self._level.is_refused

    def statistics(self) -> LimiterStatistics:
        """Return this moment's figures."""
        return LimiterStatistics(
            host=self._host,
            level=self._level.slots,
            concurrency=self._concurrency,
            in_use=self._in_use,
            waiting=len(self._waiters),
            rate=self._pace.rate,
            held_until=self._held_until,
            events=self._level.events,
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
        self._level.begin_anew(asyncio.get_running_loop().time())
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
        while self._waiters and self._in_use < self._level.slots:
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
            self._level.uses(now, self._in_use)
            full = self._in_use >= self._concurrency
            sample = self._pace.start(now, full=full)
            waiter.set_result(Slot(self, sample, self._level.slots))
            self._level.began(self._in_use)

    def _ended(self) -> None:
        self._in_use -= 1
        self._level.uses(asyncio.get_running_loop().time(), self._in_use)

    def _good(self, slot: Slot) -> None:
        now = asyncio.get_running_loop().time()
        self._level.uses(now, self._in_use)
        self._level.good(slot.sample, slot.level, now, self._in_use)

    def _refused(self, slot: Slot) -> None:
        self._level.refused(slot.sample, asyncio.get_running_loop().time(), self._in_use)

    def _overloaded(self, slot: Slot) -> None:
        self._level.overloaded(slot.sample)
