"""How fast calls to one host may start: a fixed ceiling, and a rate learned from its refusals.

A service that allows R calls a second counts them in a token bucket and answers 429 past it. R is
not told, so it is measured: between two moments at which the bucket was empty, exactly
R × elapsed calls were accepted. From a congestion event on the rate is

    rate(n) = measured × (1 + C × (n/K − 1)³),   C = 1 − START = 0.05,

n being the calls accepted at this rate since the event, and K the calls in one `step`. This is
CUBIC's curve (RFC 9438, 4.2) over calls instead of seconds: it begins 5% below what was measured,
is flat around it, and only 2K calls later 5% above it, where the next refusal comes. So the mean
stays near R, and there is about one refusal per 2K calls. If R has grown meanwhile the
curve turns upward steeply: 1.4 × at 3K, 4 × at 5K.

K is at least 100 calls, and so many that the refusals of one event (what is in flight at 5% too
much, and what a `Retry-After` costs in held time) stay small against the calls between two events.

After a cut that had to be bounded, and after the first one, R may be far away: there the rate
doubles about every round trip until the next refusal, as TCP's slow start does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

START = 0.95
"""Where the curve begins, as a share of the measured rate."""
DEEPEST_CUT = 0.5
"""One event lowers the rate to this share at most."""
SLOWEST = 0.1
"""Calls per second below which no rate is learned."""
SHORTEST_STEP = 100
"""Calls of K at least."""
CATCH_UP = 0.05
"""Seconds of lateness, of a busy event loop say, that calls may make up for."""

_REMEMBERED = 4096
_PRIOR = 8


@dataclass
class Sample:
    """One call as the pace sees it.

    `began` is on the clock of busy seconds, `number` counts calls begun; `waited` says whether
    the pace made it wait; `began_at` is on the event loop's clock.
    """

    number: int
    began: float
    began_at: float
    waited: bool


class Pace:
    """When the next call may start; all moments are in the event loop's seconds.

    `ceiling` is a fixed number of calls per second, or None. `next_start` is the moment before
    which no call may start.
    """

    def __init__(self, ceiling: float | None) -> None:
        self._ceiling = ceiling
        self.learned: float | None = None
        """The rate learned from refusals, in calls per second; None while there were none."""
        self.next_start = 0.0
        self._waited = False
        self._number = 0
        self._clock = 0.0
        self._clock_at: float | None = None
        self._answers: deque[tuple[int, float, bool]] = deque(maxlen=_REMEMBERED)
        self._event_number = 0
        self._plateau = 0.0
        self._step = float(SHORTEST_STEP)
        self._accepted = 0
        self._searching = False
        self._longest_hold = 0.0
        self._unlimited = 0

    @property
    def rate(self) -> float | None:
        """The most calls started per second, or None for no limit."""
        if self.learned is None:
            return self._ceiling
        return self.learned if self._ceiling is None else min(self.learned, self._ceiling)

    def busy(self, now: float, busy: bool) -> None:
        """Keep the clock of busy seconds: idle time says nothing about the host."""
        if self._clock_at is not None:
            self._clock += now - self._clock_at
        self._clock_at = now if busy else None

    def made_wait(self) -> None:
        """Note that the call first in line could start but for the pace."""
        self._waited = True

    def held(self, seconds: float) -> None:
        """Note that the host asked for a pause of so many seconds."""
        self._longest_hold = max(self._longest_hold * 0.9, seconds)

    def start(self, now: float, *, full: bool) -> Sample:
        """Count a call in; `full` says that every slot there can ever be is in use."""
        self.busy(now, True)
        rate = self.rate
        if rate is not None:
            self.next_start = max(self.next_start, now - CATCH_UP) + 1 / rate
        sample = Sample(self._number, self._clock, now, self._waited)
        self._number += 1
        if self.learned is not None:
            self._unlimited = self._unlimited + 1 if full and not self._waited else 0
            if self._unlimited > 3 * self._step:
                # The slots are what limits, for long: the host grew past the rate once learned.
                self.learned = None
                self.next_start = now
        self._waited = False
        return sample

    def accepted(self, sample: Sample, now: float, in_flight: int) -> None:
        """Count a good answer; lets the rate grow if it was this rate that limited the call."""
        self.busy(now, True)
        self._answers.append((sample.number, sample.began, True))
        if self.learned is None or not sample.waited or sample.number < self._event_number:
            return
        self._accepted += 1
        if self._searching:
            self.learned += self.learned / max(4, in_flight)
            return
        x = self._accepted / self._step - 1
        self.learned = self._plateau * (1 + (1 - START) * x * x * x)

    def refused(self, sample: Sample, now: float) -> None:
        """Count a 429."""
        self.busy(now, True)
        self._answers.append((sample.number, sample.began, False))

    def troubled(self, sample: Sample) -> None:
        """Count a failure that says nothing about the rate."""
        self._answers.append((sample.number, sample.began, False))

    def learn(self, sample: Sample, now: float, in_flight: int) -> None:
        """Take a first rate from what the host accepted so far, and search from there."""
        measured, sent = self._measure(sample, now, in_flight)
        self._cut(max(measured, sent * DEEPEST_CUT), sent, in_flight)
        self._searching = True

    def slow_down(self, sample: Sample, now: float, in_flight: int) -> bool:
        """Lower the learned rate after a 429, unless the call began before the last time."""
        if self.learned is None or sample.number < self._event_number:
            return False
        measured, _ = self._measure(sample, now, in_flight)
        self._cut(measured, self.learned, in_flight)
        return True

    def _measure(self, sample: Sample, now: float, in_flight: int) -> tuple[float, float]:
        """Return calls per second accepted, and sent, up to the refused call.

        Looks back to the last event, and over at least twice what is in flight.
        """
        least = max(64, 2 * in_flight)
        counted = accepted = 0
        oldest = sample.began
        for number, began, good in reversed(self._answers):
            if counted >= least and number < self._event_number:
                break
            counted += 1
            accepted += good
            oldest = min(oldest, began)
        elapsed = max(sample.began - oldest, now - sample.began_at, 1e-3)
        sent = self.learned or counted / elapsed
        return (accepted + _PRIOR) / (elapsed + _PRIOR / sent), sent

    def _cut(self, measured: float, current: float, in_flight: int) -> None:
        floor = current * DEEPEST_CUT
        self._searching = measured < floor
        self._plateau = max(min(measured, current), floor, SLOWEST / START)
        self.learned = self._plateau * START
        self._step = max(
            SHORTEST_STEP, 5.0 * in_flight, 10.0 * min(self._longest_hold, 5.0) * self._plateau
        )
        self._accepted = 0
        self._unlimited = 0
        self._event_number = self._number
