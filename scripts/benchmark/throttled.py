"""How a contender gets along with a server that allows so many calls a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmark.emulated import Calls, Cloud

SETTLED = 10.0
"""Seconds after which a client is expected to have found the server's rate."""
UNTIL = 0.95
"""Share of all calls at whose end the pace is no longer looked at: the last listings are too few
to use the rate."""
_EVERY = 0.1


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
    """Looks at the emulator's counts all the time a run takes, where the server has a rate."""

    def __init__(self, cloud: Cloud, rate: float | None) -> None:
        self._cloud = cloud
        self._rate = rate
        self._seen: list[tuple[float, Calls]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Begin to look."""
        if self._rate is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop looking."""
        self._done.set()
        if self._rate is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(_EVERY):
            self._seen.append((time.monotonic(), self._cloud.calls()))

    def pace(self) -> Pace | None:
        """Return what was seen; None without a rate, or where the run was too short to settle."""
        if self._rate is None:
            return None
        first, last = self._seen[0][1], self._seen[-1][1]
        whole = last.since(first)
        begun = next(at for at, calls in self._seen if calls.total > first.total)
        span = [
            (at, calls)
            for at, calls in self._seen
            if at >= begun + SETTLED and calls.since(first).answered <= whole.answered * UNTIL
        ]
        if len(span) < 2:
            return None
        calls = span[-1][1].since(span[0][1])
        return Pace(
            rate=self._rate,
            achieved=calls.answered / (span[-1][0] - span[0][0]),
            refused=calls.refused / calls.total,
            refused_in_all=whole.refused / whole.total,
        )
