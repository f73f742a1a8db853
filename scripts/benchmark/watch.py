"""What a run's calls show: the time of the listing, and the rate of calls."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmark.emulated import Calls, Cloud

SETTLED = 10.0
"""Seconds after which a client should have found the server's rate."""
UNTIL = 0.95
"""Share of all calls after which the pace does not count: the last listings are too few to use the
rate."""
_EVERY = 0.05


@dataclass(frozen=True)
class Pace:
    """Calls of one run on a rate-limited server.

    Attributes:
        rate: Calls a second that the server allows.
        achieved: Calls a second that it answered, from ten seconds after the start on.
        refused: Share of the calls in that time that it refused.
        refused_in_all: Share of all calls that it refused.

    """

    rate: float
    achieved: float
    refused: float
    refused_in_all: float


class Watch:
    """Reads the emulator's counts throughout a run, if `on`."""

    def __init__(self, cloud: Cloud, *, on: bool) -> None:
        self._cloud = cloud
        self._on = on
        self._seen: list[tuple[float, Calls]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Begin to look."""
        if self._on:
            self._seen.append((time.monotonic(), self._cloud.calls()))
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop looking."""
        if self._on:
            self._done.set()
            self._thread.join()
            self._seen.append((time.monotonic(), self._cloud.calls()))

    def _look(self) -> None:
        while not self._done.wait(_EVERY):
            self._seen.append((time.monotonic(), self._cloud.calls()))

    def listing_seconds(self) -> float | None:
        """Return the time from the first call to the last answer; None if it was not watched."""
        if not self._on:
            return None
        first, last = self._seen[0][1], self._seen[-1][1]
        ended = next(at for at, calls in self._seen if calls.total == last.total)
        return ended - self._begun(first)

    def pace(self, rate: float | None) -> Pace | None:
        """Return the run's pace at the server's rate; None if it was too short to settle."""
        if rate is None:
            return None
        first, last = self._seen[0][1], self._seen[-1][1]
        whole = last.since(first)
        settled = self._begun(first) + SETTLED
        span = [
            (at, calls)
            for at, calls in self._seen
            if at >= settled and calls.since(first).answered <= whole.answered * UNTIL
        ]
        if len(span) < 2:
            return None
        calls = span[-1][1].since(span[0][1])
        return Pace(
            rate=rate,
            achieved=calls.answered / (span[-1][0] - span[0][0]),
            refused=calls.refused / calls.total,
            refused_in_all=whole.refused / whole.total,
        )

    def _begun(self, first: Calls) -> float:
        return next(at for at, calls in self._seen if calls.under_way or calls.total > first.total)
