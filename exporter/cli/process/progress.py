"""The progress of a run in the log: an event every few seconds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from exporter.crawl.progress import Progress

LOG_EVERY = 10.0
"""Seconds between two progress events in the log."""

_log = structlog.get_logger()


async def log_progress(progress: Progress) -> None:
    """Log an event with the run's figures every few seconds, until cancelled."""
    while True:
        await asyncio.sleep(LOG_EVERY)
        now = progress.statistics()
        _log.info(
            "progress",
            phase=now.phase,
            seconds=round(now.seconds, 1),
            listings_done=now.listings_done,
            listings_known=now.listings_known,
            pages=now.pages,
            images=now.images,
            layers=now.layers,
            calls=now.calls,
            calls_per_second=round(now.calls_per_second, 1),
            slots_in_use=now.slots_in_use,
            slots=now.slots,
            retries=now.retries,
            throttled=now.throttled,
            seconds_left=None if now.seconds_left is None else round(now.seconds_left),
            not_answering=[outage.host for outage in now.outages],
        )
