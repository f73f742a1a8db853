"""How fast calls to one host may start: a fixed ceiling, and a rate learned from its refusals.

A service that allows R calls a second counts them in a token bucket, and answers 429 when it is
empty. R is unknown, so it is measured: between two moments with an empty bucket, R × elapsed calls
were accepted. From a congestion event on, the rate is

    rate(n) = measured × (1 + C × (n/K − 1)³),   C = 1 − START = 0.05,

where n is the number of calls accepted at this rate since the event, and K the calls in one `step`.
This is CUBIC's curve (RFC 9438, 4.2) over calls instead of seconds. It begins 5% below the measured
rate, is flat around it, and reaches 5% above it after 2K calls, where the next refusal comes. So
the mean stays near R, with about one refusal in 2K calls. If R has grown meanwhile, the curve turns
upward steeply: 1.4 × at 3K, 4 × at 5K.

K is at least 100 calls. It is large enough that the cost of one event is small compared with the
calls between two events: the calls in flight at a rate 5% too high, and the time of a
`Retry-After`.

Before the first event, R may be anything. Once the bucket is empty, the host refuses all calls that
start until the first refusal has come back. So calls begin at `FIRST_PACE`, which grows as long as
it delays them, soon to what all slots need. By the first event, the host has accepted R × elapsed
calls and what its bucket held. That is unknown too; most hold the calls of about a second, so
`SAVED_UP` is assumed.

After the first event, and after one whose cut had to be bounded, R may be far away. Then the rate
grows e-fold in `SEARCH_SECONDS`, or in two round trips if they are longer, until the next refusal.
It may have to empty a full bucket before, and should not be many times R by then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

START = 0.95
"""Where the curve begins, as a share of the measured rate."""
DEEPEST_CUT = 0.2
"""One event lowers the rate to this share at most."""
SLOWEST = 0.1
"""Calls per second below which no rate is learned."""
SHORTEST_STEP = 100
"""Calls of K at least."""
FIRST_PACE = 300.0
"""Calls per second at the beginning."""
FIRST_GROWTH = 0.2
"""Seconds in which that rate is multiplied by e, while it delays calls."""
SAVED_UP = 1.0
"""Seconds of calls that a host is assumed to accept at once."""
SEARCH_SECONDS = 2.0
"""Seconds in which a search multiplies the rate by e."""
CATCH_UP = 0.05
"""Seconds of delay, by a busy event loop for example, that calls may catch up."""

_STEP_ROUND_TRIPS = 10
_STEP_HOLDS = 10
_LONGEST_HOLD = 5.0
"""Longer holds than these seconds do not increase K: the rate must recover in minutes."""
_EARLY = 0.8
"""If holds hide the true rate, an event long before 2K lowers the rate at least to this share."""
_SHORTEST_LOOK_BACK = 64
_REMEMBERED = 4096
_PRIOR = 8
"""Calls at the present rate that every measurement includes, so that a few do not mislead."""


@dataclass(frozen=True)
class RateSample:
    """One call at its start, for the pace.

    `number` counts the host's calls. `began_at` is in the event loop's seconds, `wanted` and `open`
    are on the clocks of `Pace.run_clocks`. `waited` says whether the pace delayed it.
    """

    number: int
    began_at: float
    wanted: float
    open: float
    waited: bool


class Pace:
    """When the next call may start; all times are in the event loop's seconds.

    `ceiling` is a fixed number of calls per second, or None. `first` is the rate to begin with.
    """

    def __init__(self, ceiling: float | None, first: float = FIRST_PACE) -> None:
        self._ceiling = ceiling
        self._begin_at = self._first = first
        self.learned: float | None = None
        """The rate learned from refusals, in calls per second; None while there were none."""
        self.next_start = -math.inf
        """The time before which no call may start."""
        self._waited = False
        self._number = 0
        self._wanting = self._held = False
        self._clocks_at = self._wanted = self._open = 0.0
        self._answers: deque[tuple[RateSample, bool]] = deque(maxlen=_REMEMBERED)
        self._event: RateSample | None = None
        """A sample taken at the last event."""
        self._measured = 0.0
        self._step = float(SHORTEST_STEP)
        self._accepted = 0
        self._searching = False
        self._longest_hold = 0.0
        self._unlimited = 0

    @property
    def rate(self) -> float | None:
        """The most calls started per second, or None for no limit."""
        if self.learned is None or self._ceiling is None:
            return self.learned or self._ceiling
        return min(self.learned, self._ceiling)

    def run_clocks(self, now: float, *, wanting: bool, held: bool) -> None:
        """Run two clocks: `wanted` stops while no call is wanted, `open` also during a hold."""
        passed = now - self._clocks_at
        self._clocks_at = now
        if self._wanting:
            self._wanted += passed
            if not self._held:
                self._open += passed
        self._wanting, self._held = wanting, held

    def made_wait(self) -> None:
        """Note that only the pace delays the first waiting call."""
        self._waited = True

    def held(self, seconds: float) -> None:
        """Note that the host asked for a pause of so many seconds."""
        self._longest_hold = min(_LONGEST_HOLD, max(self._longest_hold * 0.9, seconds))

    def start(self, now: float, *, full: bool) -> RateSample:
        """Count a call that starts; `full` if all slots, at the highest level, are in use."""
        self.run_clocks(now, wanting=True, held=False)
        first_or_learned = self._first if self.learned is None else self.learned
        rate = min(first_or_learned, self._ceiling or math.inf)
        self.next_start = max(self.next_start, now - CATCH_UP) + 1 / rate
        sample = self._sample(now, waited=self._waited)
        self._number += 1
        self._unlimited = self._unlimited + 1 if full and not self._waited else 0
        if self._unlimited > 3 * self._step:
            # The slots have been the limit for long: the host is faster than the learned rate.
            self.learned, self._first = None, math.inf
        self._waited = False
        return sample

    def accepted(self, sample: RateSample, in_flight: int) -> None:
        """Count a good answer; the rate grows if it was this rate that limited the call."""
        self._answers.append((sample, True))
        if not sample.waited:
            return
        if self.learned is None:
            self._first += 1 / FIRST_GROWTH
            return
        if not self._after_event(sample):
            return
        self._accepted += 1
        if self._searching:
            slowly = max(8.0, 2 * in_flight, SEARCH_SECONDS * self.learned)
            self.learned += self.learned / slowly
        else:
            x = self._accepted / self._step - 1
            self.learned = self._measured * (1 + (1 - START) * x * x * x)

    def failed(self, sample: RateSample) -> None:
        """Count an answer that is not a good one."""
        self._answers.append((sample, False))

    def learn(self, sample: RateSample, now: float, in_flight: int) -> None:
        """Take a first rate from what the host accepted, of late or in all, until it refused."""
        recently, _ = self._measure(sample, now, in_flight)
        first = min((each for each, _ in self._answers), key=lambda each: each.number)
        failed = sum(not good for _, good in self._answers)
        # A host that refuses at once has not answered yet what it accepted before.
        accepted = max(0, sample.number - first.number - failed)
        elapsed = sample.wanted - first.wanted  # The bucket fills up during a hold.
        measured = min(recently, (accepted + _PRIOR) / (elapsed + SAVED_UP))
        self._cut(measured, measured, now, in_flight)
        self._searching = True

    def slow_down(self, sample: RateSample, now: float, in_flight: int) -> bool:
        """Lower the learned rate for a refused call; return whether it was lowered.

        It is not lowered for a call that began before the last event.
        """
        if self.learned is None or not self._after_event(sample):
            return False
        measured, _ = self._measure(sample, now, in_flight)
        # After an event the bucket is empty for a while. So a search is not over by an early
        # refusal, if the host accepts more than the present rate.
        goes_on = self._searching and self._accepted < _PRIOR and measured > self.learned
        if self._searching:
            measured = self._measure_search(sample, self.learned)
        early = self._longest_hold > 0 and self._accepted < self._step / 4
        self._cut(
            min(measured, self.learned * (_EARLY if early else 1)), self.learned, now, in_flight
        )
        self._searching |= goes_on
        return True

    def begin_anew(self, rate: float | None, now: float) -> None:
        """Restore the rate, or none, from before the host refused every call."""
        self._first = min(self._first, self._begin_at)
        if rate == self.learned:
            return
        self.learned = rate
        self._measured = (rate or 0.0) / START
        self._accepted = self._unlimited = 0
        self._searching = False
        self._answers.clear()
        self.next_start = now
        self._event = self._sample(now, waited=False)

    def _after_event(self, sample: RateSample) -> bool:
        return self._event is None or sample.number >= self._event.number

    def _sample(self, now: float, *, waited: bool) -> RateSample:
        return RateSample(self._number, now, self._wanted, self._open, waited)

    def _measure(self, refused: RateSample, now: float, in_flight: int) -> tuple[float, float]:
        """Return the calls per second that were accepted, and sent, up to a refused call.

        The time reaches back to the last event, and over at least twice the calls in flight.
        """
        least = max(_SHORTEST_LOOK_BACK, 2 * in_flight)
        counted = accepted = 0
        first = refused if self._event is None else self._event
        for sample, good in reversed(self._answers):
            if counted >= least and not self._after_event(sample):
                break
            counted += 1
            accepted += good
            first = min(first, sample, key=lambda each: each.number)
        round_trip = max(now - refused.began_at, 1e-3)
        opened = max(refused.open - first.open, round_trip)
        wanted = max(refused.wanted - first.wanted, round_trip)
        sent = self.learned or counted / opened
        prior = _PRIOR / sent
        # During a hold the host's bucket refills up to its depth, which is unknown. So R lies
        # between the rate over open seconds and the rate over all seconds.
        most = (accepted + _PRIOR) / (opened + prior)
        fewest = (accepted + _PRIOR) / (wanted + prior)
        return math.sqrt(most * fewest), sent

    def _measure_search(self, refused: RateSample, rate: float) -> float:
        """Return the calls per second that were accepted at the end of a search, by its rate."""
        elapsed = SEARCH_SECONDS / 2
        if self._event is not None:
            elapsed = max(0.0, min(elapsed, refused.open - self._event.open))
        begin = refused.open - elapsed
        accepted = sum(
            good
            for sample, good in self._answers
            if sample.open >= begin and self._after_event(sample)
        )
        return (accepted + _PRIOR) / (elapsed + _PRIOR / rate)

    def _cut(self, measured: float, current: float, now: float, in_flight: int) -> None:
        bound = current * DEEPEST_CUT
        # A search that ends in a deep cut was too fast, and must not begin anew.
        self._searching = measured < bound and not self._searching
        self._measured = max(min(measured, current), bound, SLOWEST / START)
        self.learned = self._measured * START
        self._step = max(
            SHORTEST_STEP,
            _STEP_ROUND_TRIPS * in_flight,
            _STEP_HOLDS * self._longest_hold * self._measured,
        )
        self._accepted = 0
        self._unlimited = 0
        self._event = self._sample(now, waited=False)
