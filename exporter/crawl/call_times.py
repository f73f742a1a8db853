"""How long calls for large pages take, and whether they only wait for each other at the host."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

_LEARNING = 0.1
_LATEST = 15
"""Calls of which the median counts: one that stalled says nothing about the others."""
_LONGEST = 3.0
"""How many times as long as the fastest call of its kind one may take.

Beyond that, a host works on others meanwhile, and answers no more calls a second to more of them.
"""
_NOTABLE = 0.2
"""Seconds below which a call may be slow for any reason, such as a busy machine."""


class CallTimes:
    """The times of the calls that are noted, all for pages of one kind; in seconds."""

    def __init__(self) -> None:
        self.average = 0.0
        """The average time of the latest calls."""
        self._bytes = 0.0
        self.fastest = math.inf
        """The time of the fastest call, infinite before the first."""
        self._latest: deque[float] = deque(maxlen=_LATEST)

    def note(self, seconds: float, body_bytes: int) -> None:
        """Note an answer with a body of so many bytes.

        Only bodies that are not shorter than the average count as fast: a host makes others sooner.
        """
        self.average += (seconds - self.average) * _LEARNING
        self._latest.append(seconds)
        self._bytes += (body_bytes - self._bytes) * (_LEARNING if self._bytes else 1.0)
        if body_bytes >= self._bytes:
            self.fastest = min(self.fastest, seconds)

    @property
    def are_queueing(self) -> bool:
        """Whether calls take so long that more of them at once would save no time."""
        usual = median(self._latest) if self._latest else 0.0
        return usual > max(_NOTABLE, _LONGEST * self.fastest)
