"""The service's own limits: calls per second as a token bucket, calls at once, and its workers."""

from __future__ import annotations

import asyncio
import math
from asyncio import sleep as pause
from email.utils import formatdate
from typing import Literal, Protocol

from .status import StatusError


class Limits(Protocol):
    """The limits of a service; see `Behaviour`, whose attributes these are."""

    @property
    def rate(self) -> float | None:
        """Calls per second; None for any number."""

    @property
    def burst(self) -> int | None:
        """Calls that may come at once; None for those of a second."""

    @property
    def retry_after(self) -> Literal["seconds", "date", "absent"]:
        """The value of `Retry-After` in a 429 answer."""

    @property
    def max_in_flight(self) -> int | None:
        """Calls at the same time; None for any number."""


class Throttle:
    """Lets calls through, or refuses them with 429 or 503."""

    def __init__(self) -> None:
        self._level: float | None = None
        self._filled_at = 0.0

    def admit(self, limits: Limits, in_flight: int, now: float) -> None:
        """Admit one call; `in_flight` includes it, `now` is in seconds since 1970.

        Raises:
            StatusError: 503 for too many calls at once, 429 for too many per second.

        """
        if limits.max_in_flight is not None and in_flight > limits.max_in_flight:
            raise StatusError(503, "too many calls at the same time")
        if limits.rate is None:
            return
        room = float(limits.burst or max(1.0, limits.rate))
        level = room if self._level is None else self._level
        level = min(room, level + max(0.0, now - self._filled_at) * limits.rate)
        self._filled_at = now
        if level < 1:
            self._level = level
            wait = (1 - level) / limits.rate
            raise StatusError(429, "too many calls per second", retry_after(limits, wait, now))
        self._level = level - 1


def retry_after(limits: Limits, wait: float, now: float) -> str | None:
    """The value of `Retry-After` for a wait of these seconds, rounded up."""
    if limits.retry_after == "absent":
        return None
    if limits.retry_after == "date":
        return formatdate(math.ceil(now + wait), usegmt=True)
    return str(math.ceil(wait))


class Workers:
    """Gives calls the time that they take, as many at once as the service has workers."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(0)
        self._count = 0

    async def spend(self, seconds: float, workers: int | None) -> None:
        """Spend the time of a call, once a worker is free; None for any number of them."""
        if workers is None:
            if seconds:
                await pause(seconds)
            return
        if workers != self._count:
            self._count, self._free = workers, asyncio.Semaphore(workers)
        async with self._free:
            await pause(seconds)
