"""The limits of the settings, shared out over the tasks that run at once."""

from __future__ import annotations

from exporter.settings import Limits, Settings
from exporter.spark.partitions import Share


def share_of(limits: Limits, at_once: int) -> Share:
    """Return the share of each task, where so many run at once.

    All together never start more calls a second than the settings allow. Nor are more under way, if
    there are no more tasks at once than `limits.concurrency` (`most_at_once`).
    """
    rate = limits.requests_per_second
    return Share(
        concurrency=max(1, limits.concurrency // at_once),
        requests_per_second=None if rate is None else rate / at_once,
    )


def most_at_once(limits: Limits, slots: int) -> int:
    """Return how many tasks may run at once, of so many slots: each has a call under way."""
    return max(1, min(slots, limits.concurrency))


def limited(settings: Settings, share: Share) -> Settings:
    """Return the settings of a task: with its share as the limits."""
    own = {
        "concurrency": share.concurrency,
        "requests_per_second": share.requests_per_second,
    }
    limits = settings.limits.model_copy(update=own)
    return settings.model_copy(update={"limits": limits})


def first_call_after(share: Share) -> float:
    """Return the seconds that a task waits before its first call.

    The limiter lets the first call of each task through at once. The next task of a slot begins
    right after the one before, so that many short tasks would go beyond the rate together.
    """
    return 0.0 if share.requests_per_second is None else 1 / share.requests_per_second
