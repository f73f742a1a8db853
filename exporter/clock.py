"""A run's clock: it reads the wall clock once, and measures everything after that.

A wall clock may be set forward or back during a run: by NTP, by a person, by a machine that wakes
up. The times that a run reports must stay in order all the same. So each is the start plus the time
since, and no duration is negative.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


def wall() -> datetime:
    """Return the time of the wall clock, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Return seconds that only grow, at the pace of real time, also while the machine sleeps."""
    boot_time: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Only Linux has it.
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class Clock:
    """The time of one run; it starts when this object is made."""

    def __init__(self) -> None:
        self._started_at = wall()
        self._started = steady()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return steady() - self._started

    def now(self) -> datetime:
        """Return the start by the wall clock plus the time since, in UTC."""
        return self._started_at + timedelta(seconds=self.seconds)

    def after(self, started_at: datetime) -> datetime:
        """Return now as the end of what began at `started_at`, maybe in another run.

        It is after `started_at`, by at least the duration of this run.
        """
        return max(self.now(), started_at + timedelta(seconds=self.seconds))
