"""How many slots one host gets at the moment: their number grows by good answers, and falls.

1. It grows only by good answers to calls that began when all slots were in use: by one slot per
   answer at the beginning (doubling each round trip), later by one per round trip.
2. A congestion event halves it at most once: failures of calls that began before the last event do
   not count again.
3. A single failure is no congestion. Failures add up, and good answers reduce the sum. An event is
   five 429s, or three 503s and timeouts, more than `TOLERATED` of the answers. Otherwise the few
   random 503s of any large service would keep the level low (TCP halves on every loss; Mathis et
   al. 1997 put its level at 1.2/√share of loss: 12 slots at 1%). Two 429s are an event too, if the
   one call began right after the other and before its answer: an empty bucket refuses all.
4. If it watches the queue, there are never more slots than those that calls a second grow with
   (`queueing.py`).

There are two kinds of congestion. A 429 means *too fast*: the first such event sets the pace's
rate, and from then on a 429 lowers the rate, not the slots. Few slots with a short round trip may
still be too fast, and many with a long one too slow. A 503 or a timeout means *too much at once*,
and lowers the slots.
"""

from __future__ import annotations

import structlog

from exporter.http.queueing import QueueWatch
from exporter.http.rate import Pace, RateSample

INITIAL_LEVEL = 32
"""Slots at the beginning; two round trips later there may be four times as many."""
TOLERATED = 0.02
"""Share of failed answers that counts as noise."""
_ENOUGH_REFUSALS = 5.0
_ENOUGH_OVERLOADS = 3.0

_log = structlog.get_logger(__name__)


class Level:
    """The level of one host, at most `concurrency`.

    `pace` is told how calls went, and learns its rate. `queue` bounds the level too, if there is
    one. Times are in the event loop's seconds.
    """

    def __init__(self, host: str, concurrency: int, pace: Pace, queue: QueueWatch | None) -> None:
        self._host = host
        self._concurrency = concurrency
        self._pace = pace
        self._queue = queue
        self.events = 0
        """The congestion events so far."""
        self._level = float(min(INITIAL_LEVEL, concurrency))
        self._additive_from = float(concurrency)
        """Below this level it doubles each round trip; above, it grows by one slot."""
        self._started = 0
        self._event_at = 0
        """Number of the first call begun after the last congestion event."""
        self._full_until = 0
        """Number of the first call begun after all slots were last in use."""
        self._refusals = 0.0
        self._overloads = 0.0
        self._refused_last = (-2, 0.0)
        """Number of the call that was refused last, and when."""
        self._last_good = (self._level, self._additive_from, pace.learned)
        """The level, the threshold of slow growth, and the rate, at the last good answer."""

    @property
    def slots(self) -> int:
        """The slots that may be used now."""
        level = int(self._level)
        return level if self._queue is None else min(level, self._queue.level)

    @property
    def is_refused(self) -> bool:
        """Whether the host has just refused more than one call."""
        return self._refusals > 1.0

    def uses(self, now: float, in_use: int) -> None:
        """Note how many slots are in use from now on."""
        if self._queue is not None:
            self._queue.uses(now, in_use)

    def began(self, in_use: int) -> None:
        """Count a call that begins; with it, so many slots are in use."""
        self._started += 1
        if in_use >= self.slots:
            self._full_until = self._started

    def begin_anew(self, now: float) -> None:
        """Forget the failures since the last good answer; see `Limiter.begin_anew`."""
        level, self._additive_from, rate = self._last_good
        self._level = min(level, float(INITIAL_LEVEL))
        if self._queue is not None:
            self._queue.begin_anew()
        self._pace.begin_anew(rate, now)
        self._refusals = self._overloads = 0.0
        self._event_at = self._started

    def good(self, sample: RateSample, slots: int, now: float, in_use: int) -> None:
        """Count a good answer to a call that began when there were so many slots."""
        if self._queue is not None:
            self._queue.answered(now - sample.began_at, slots)
        self._pace.accepted(sample, in_use)
        self._refusals = max(0.0, self._refusals - TOLERATED)
        self._overloads = max(0.0, self._overloads - TOLERATED)
        self._last_good = (self._level, self._additive_from, self._pace.learned)
        if sample.number >= self._full_until or not self._is_news(sample):
            return
        doubling = self._level < self._additive_from
        self._level = min(
            float(self._concurrency), self._level + (1.0 if doubling else 1.0 / self._level)
        )

    def refused(self, sample: RateSample, now: float, in_use: int) -> None:
        """Count an answer of 429."""
        self._pace.failed(sample)
        if self._pace.learned is not None:
            if self._pace.slow_down(sample, now, in_use):
                self._event("rate")
        elif self._is_news(sample):
            before, at = self._refused_last
            in_a_row = abs(sample.number - before) == 1 and sample.began_at < at
            self._refusals += _ENOUGH_REFUSALS if in_a_row else 1.0
            self._refused_last = sample.number, now
            if self._refusals >= _ENOUGH_REFUSALS:
                self._pace.learn(sample, now, in_use)
                # From here on the pace protects the host, so the slots may grow fast again.
                self._additive_from = self._level
                self._level = max(1.0, self.slots / 2)
                self._event("slots and rate")

    def overloaded(self, sample: RateSample) -> None:
        """Count an answer of 503, or one that did not come in time."""
        self._pace.failed(sample)
        if self._is_news(sample):
            self._overloads += 1.0
            if self._overloads >= _ENOUGH_OVERLOADS:
                self._level = self._additive_from = max(1.0, self.slots / 2)
                self._event("slots")

    def _is_news(self, sample: RateSample) -> bool:
        return sample.number >= self._event_at

    def _event(self, what: str) -> None:
        self.events += 1
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
