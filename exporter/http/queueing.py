"""How many calls at once a host works on: beyond that, they only wait for each other.

A server of one's own answers everything, and never 429: with more calls at once than it can work
on, only the time of each grows. By Little's law, n calls that are under way on average, and take t
seconds each, are n/t calls a second. So the level is raised only as long as n/t grows with it:

1. The first few calls go one by one. What they take is the host's time for a call (`Known`).
2. Then the level doubles, from half of what another kind of calls has found, while each doubling
   wins calls a second: `CLEAR_GAIN`, or `WORTH_DOUBLING` while a call takes no longer than
   `LONGEST` times that of a call alone. A doubling that does not is undone.
3. Then it stays. Every `PATIENCE` windows it is tried, in turn, by `STEP` higher and lower. The
   higher level stays if it wins, and doubling goes on from there. The lower one stays if it loses
   less than `TOLERATED_LOSS`, and is tried lower still. While neither is better, trials become
   rarer: each costs a little. While calls take longer than `LONGEST`, only lower levels are tried,
   and a little more may be lost.

A window is some calls that ended while the level was in use, nearly; the first ones at a new level
do not count, because calls of the old one are still under way. The slowest of a window do not count
either: one stalled call says nothing about the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from statistics import median

ALONE = 5
"""Calls that go one by one at first."""
FIRST_LEVEL = 4
CLEAR_GAIN = 1.5
"""By how much calls a second must grow for twice the level to stay, whatever a call takes."""
WORTH_DOUBLING = 1.1
"""The same while calls are not slow: then a smaller gain is worth it."""
STEP = 1.5
WORTH_A_STEP = 1.06
"""The same for a level that is higher by `STEP`."""
LONGEST = 5.0
"""How many times as long as a call alone one may take on average: the slowest of a hundred take
twice the average."""
TOLERATED_LOSS = 0.02
TOLERATED_IF_SLOW = 0.05
PATIENCE = 6
"""Windows at one level before another is tried; twice as many after each trial in vain."""
MOST_PATIENCE = 48
_LEAST_CALLS = 24
_SLOWEST_SHARE = 0.1
_NEARLY = 0.75
"""The share of a level that counts as all of it: who calls needs some time of his own."""


@dataclass
class Known:
    """What is known of a host, shared by all kinds of calls to it.

    `alone` is what a call alone takes, in seconds; `level` the last level that doubling won.
    """

    alone: float | None = None
    level: int = 0

    def note(self, seconds: float) -> None:
        """Note what the calls of one kind took; those of the fastest kind count."""
        self.alone = seconds if self.alone is None else min(self.alone, seconds)

    def is_slow(self, seconds: float) -> bool:
        """Return whether a call takes so long that it must have waited for others."""
        return self.alone is not None and seconds > LONGEST * self.alone


class _Phase(Enum):
    ALONE = auto()
    DOUBLING = auto()
    STEADY = auto()
    TRIED_HIGHER = auto()
    TRIED_LOWER = auto()


class QueueWatch:
    """Finds the level of one host, at most `most`; `level` is the present one.

    It has no clock: `uses` is told when the number of calls under way changes, in seconds, and
    `answered` what each call took.
    """

    def __init__(self, most: int, known: Known | None = None) -> None:
        self._most = most
        self._known = known or Known()
        self.level = 1
        self._phase = _Phase.ALONE
        self._settled = 1
        """The level to go back to, if the present one wins nothing."""
        self._per_second: float | None = None
        """Calls a second at the settled level, as last measured; None before that."""
        self._seconds: list[float] = []
        self._to_skip = 0
        self._windows = 0
        self._patience = PATIENCE
        self._goes_higher = True
        self._under_way, self._since = 0, 0.0
        self._span = self._area = 0.0
        """How long calls were enough to count, and the sum of their numbers over that time."""

    def uses(self, now: float, under_way: int) -> None:
        """Note how many calls are under way from now on."""
        if self._is_in_use:
            self._span += now - self._since
            self._area += (now - self._since) * self._under_way
        self._since, self._under_way = now, under_way

    def answered(self, seconds: float, level: int) -> None:
        """Note a good answer to a call that began at a level."""
        if level != self.level or seconds <= 0.0 or not self._is_in_use:
            return
        if self._to_skip:
            self._to_skip -= 1
            if not self._to_skip:
                self._span = self._area = 0.0
            return
        self._seconds.append(seconds)
        if self._phase is _Phase.ALONE:
            if len(self._seconds) >= ALONE:
                self._known.note(median(self._seconds))
                self._begin(max(FIRST_LEVEL, self._known.level // 2))
            return
        # A doubling wins so much that fewer calls show it.
        enough = self.level if self._phase is _Phase.DOUBLING else 2 * self.level
        if len(self._seconds) >= max(enough, _LEAST_CALLS) and self._span:
            seconds = _mean(self._seconds)
            self._decide(self._area / self._span / seconds, seconds)

    def begin_anew(self) -> None:
        """Forget what was measured: the host was down, and may be another one now."""
        self._patience = PATIENCE
        self._begin(FIRST_LEVEL)

    @property
    def _is_in_use(self) -> bool:
        """Whether so many calls are under way that they show what a level is worth."""
        return self._under_way >= _NEARLY * min(self._settled, self.level)

    def _begin(self, level: int) -> None:
        self._per_second = None
        self._settled = min(level, self._most)
        self._move(self._settled, _Phase.DOUBLING)

    def _decide(self, per_second: float, seconds: float) -> None:
        self._forget()
        before = self._per_second
        gain = per_second / before if before else CLEAR_GAIN
        is_slow = self._known.is_slow(seconds)
        match self._phase:
            case _Phase.DOUBLING:
                if gain >= (CLEAR_GAIN if is_slow else WORTH_DOUBLING):
                    self._settle(per_second)
                    self._known.level = self.level
                    self._try(2 * self.level, _Phase.DOUBLING)
                else:
                    self._go_back()
            case _Phase.TRIED_HIGHER:
                if gain >= WORTH_A_STEP and not is_slow:
                    self._settle(per_second)
                    self._try(2 * self.level, _Phase.DOUBLING)
                else:
                    self._go_back()
            case _Phase.TRIED_LOWER:
                if gain >= 1 - (TOLERATED_IF_SLOW if is_slow else TOLERATED_LOSS):
                    # The best that was measured stays the measure: small losses must not add up.
                    self._settle(max(per_second, before or 0.0))
                    self._try(int(self.level / STEP), _Phase.TRIED_LOWER)
                else:
                    self._go_back()
            case _Phase.STEADY | _Phase.ALONE:
                self._per_second = per_second
                self._windows += 1
                if self._windows >= self._patience:
                    self._try_another(is_slow=is_slow)

    def _try_another(self, *, is_slow: bool) -> None:
        self._windows = 0
        if self._goes_higher and not is_slow:
            self._try(int(self.level * STEP + 1), _Phase.TRIED_HIGHER)
        else:
            self._try(int(self.level / STEP), _Phase.TRIED_LOWER)
        self._goes_higher = not self._goes_higher

    def _try(self, level: int, phase: _Phase) -> None:
        level = max(1, min(level, self._most))
        if level == self.level:
            self._phase, self._windows = _Phase.STEADY, 0
            return
        self._move(level, phase)

    def _settle(self, per_second: float) -> None:
        self._patience = PATIENCE
        self._settled = self.level
        self._per_second = per_second

    def _go_back(self) -> None:
        self._patience = min(2 * self._patience, MOST_PATIENCE)
        self._windows = 0
        self._move(self._settled, _Phase.STEADY)

    def _move(self, level: int, phase: _Phase) -> None:
        self._to_skip = max(level, self.level) // 2
        self.level, self._phase = level, phase
        self._forget()

    def _forget(self) -> None:
        self._seconds.clear()
        self._span = self._area = 0.0


def _mean(seconds: list[float]) -> float:
    kept = sorted(seconds)[: max(1, round(len(seconds) * (1 - _SLOWEST_SHARE)))]
    return sum(kept) / len(kept)
