"""The service's own limits: calls per second as a token bucket, and calls at the same time."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import TYPE_CHECKING

from .status import StatusError

if TYPE_CHECKING:
    from .behaviour import Behaviour


class Throttle:
    """Lets calls through, or refuses them with 429 or 503."""

    def __init__(self) -> None:
        self._level: float | None = None
        self._filled_at = 0.0

    def admit(self, behaviour: Behaviour, in_flight: int, now: float) -> None:
        """Admit one call; `in_flight` includes it, `now` is in seconds since 1970.

        Raises:
            StatusError: 503 for too many calls at once, 429 for too many per second.

        """
        if behaviour.max_in_flight is not None and in_flight > behaviour.max_in_flight:
            raise StatusError(503, "too many calls at the same time")
        if behaviour.rate is None:
            return
        room = float(behaviour.burst or max(1.0, behaviour.rate))
        level = room if self._level is None else self._level
        level = min(room, level + max(0.0, now - self._filled_at) * behaviour.rate)
        self._filled_at = now
        if level < 1:
            self._level = level
            wait = (1 - level) / behaviour.rate
            raise StatusError(429, "too many calls per second", retry_after(behaviour, wait, now))
        self._level = level - 1


def retry_after(behaviour: Behaviour, wait: float, now: float) -> str | None:
    """The value of `Retry-After` for a wait of these seconds, rounded up."""
    if behaviour.retry_after == "absent":
        return None
    if behaviour.retry_after == "date":
        return formatdate(math.ceil(now + wait), usegmt=True)
    return str(math.ceil(wait))
