"""How many calls at once a host works on: beyond that, they only wait for each other.

A server of one's own answers everything, and never 429: with more calls at once than it can work
on, only the time of each grows. By Little's law, n calls at once that take t seconds each are n/t
calls a second. So the level is raised only as long as n/t grows with it:

1. It doubles while each doubling wins `WORTH_DOUBLING` calls a second. One that does not is undone.
2. Then it stays. Every `PATIENCE` windows it is tried, in turn, by `STEP` higher and lower. The
   higher level stays if it wins `WORTH_A_STEP`, and doubling goes on from there. The lower one
   stays if it loses less than `TOLERATED_LOSS`, and is tried lower still. While neither is better,
   trials become rarer: each costs a little.

A window is some calls that began while all slots of the present level were in use; the first ones
at a new level do not count, because calls of the old one are still under way. The slowest of a
window do not count either: one stalled call says nothing about the others.
"""

from __future__ import annotations

from enum import Enum, auto

FIRST_LEVEL = 16
WORTH_DOUBLING = 1.2
"""By how much calls a second must grow for twice the level to stay."""
STEP = 1.5
WORTH_A_STEP = 1.1
"""The same for a level that is higher by `STEP`."""
TOLERATED_LOSS = 0.05
PATIENCE = 6
"""Windows at one level before another is tried; twice as many after each trial in vain."""
MOST_PATIENCE = 48
_LEAST_CALLS = 24
_SLOWEST_SHARE = 0.1


class _Phase(Enum):
    DOUBLING = auto()
    STEADY = auto()
    TRIED_HIGHER = auto()
    TRIED_LOWER = auto()


class QueueWatch:
    """Finds the level of one host, at most `most`; `level` is the present one.

    It knows no clock: `answered` is told what each call took.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.level = min(FIRST_LEVEL, most)
        self._phase = _Phase.DOUBLING
        self._settled = self.level
        """The level to go back to, if the present one wins nothing."""
        self._per_second: float | None = None
        """Calls a second at the settled level, as last measured; None before that."""
        self._seconds: list[float] = []
        self._to_skip = 0
        self._windows = 0
        self._patience = PATIENCE
        self._goes_higher = True

    def answered(self, seconds: float, level: int) -> None:
        """Note a good answer to a call that began when all slots of a level were in use."""
        if level != self.level or seconds <= 0.0:
            return
        if self._to_skip:
            self._to_skip -= 1
            return
        self._seconds.append(seconds)
        # A doubling wins so much that fewer calls show it.
        enough = self.level if self._phase is _Phase.DOUBLING else 2 * self.level
        if len(self._seconds) >= max(enough, _LEAST_CALLS):
            self._decide(self.level / _mean(self._seconds))

    def begin_anew(self) -> None:
        """Forget what was measured: the host was down, and may be another one now."""
        self.level = self._settled = min(FIRST_LEVEL, self._most)
        self._phase, self._per_second = _Phase.DOUBLING, None
        self._patience = PATIENCE
        self._seconds.clear()

    def _decide(self, per_second: float) -> None:
        self._seconds.clear()
        before = self._per_second
        match self._phase:
            case _Phase.DOUBLING:
                if before is None or per_second >= before * WORTH_DOUBLING:
                    self._settle(per_second)
                    self._try(2 * self.level, _Phase.DOUBLING)
                else:
                    self._go_back()
            case _Phase.TRIED_HIGHER:
                if before is not None and per_second >= before * WORTH_A_STEP:
                    self._settle(per_second)
                    self._try(2 * self.level, _Phase.DOUBLING)
                else:
                    self._go_back()
            case _Phase.TRIED_LOWER:
                if before is not None and per_second >= before * (1 - TOLERATED_LOSS):
                    # The best that was measured stays the measure: small losses must not add up.
                    self._settle(max(per_second, before))
                    self._try(int(self.level / STEP), _Phase.TRIED_LOWER)
                else:
                    self._go_back()
            case _Phase.STEADY:
                self._per_second = per_second
                self._windows += 1
                if self._windows >= self._patience:
                    self._try_another()

    def _try_another(self) -> None:
        self._windows = 0
        if self._goes_higher:
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


def _mean(seconds: list[float]) -> float:
    kept = sorted(seconds)[: max(1, round(len(seconds) * (1 - _SLOWEST_SHARE)))]
    return sum(kept) / len(kept)
