"""A scan as a task of the scheduler: one step is one page."""

from __future__ import annotations

from typing import Protocol

from exporter.crawl.task import Priority, Rank
from exporter.sources.cloud.split.scan import Scan


class Listing(Protocol):
    """The listing that a scan belongs to."""

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a scan may have left."""
        ...

    async def run_one(self, scan: Scan) -> bool:
        """Handle a scan's next page; return True while there is more."""
        ...


class ScanTask:
    """The task of one scan."""

    def __init__(self, listing: Listing, scan: Scan) -> None:
        self._listing = listing
        self._scan = scan

    @property
    def priority(self) -> Priority:
        """Its priority among the waiting tasks."""
        return Priority(Rank.LISTING, self._listing.pages_left(self._scan))

    @property
    def has_prefetched(self) -> bool:
        """Whether the scan's next page was already asked for."""
        return self._scan.prefetched is not None

    async def run_one(self) -> bool:
        """Handle the scan's next page."""
        return await self._listing.run_one(self._scan)
