"""Replay: a resumed run first handles the pages that an earlier attempt stored."""

from __future__ import annotations

import asyncio

from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.split.ordering import order_fallbacks
from exporter.sources.cloud.split.scan import Scan


class Replay:
    """The scans of one registry whose next page an earlier attempt stored.

    A scan that sent a call before another scan's stored pages are known would list their images
    again.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._scans: set[Scan] = set()
        self._over = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether a page is left to replay, so that the places of the scans are not known yet."""
        return bool(self._scans)

    def has(self, scan: Scan) -> bool:
        """Return whether a scan's next page is stored."""
        return scan in self._scans

    def find(self, scan: Scan, fallback: int) -> None:
        """Begin a scan with the order of its stored pages, for which other pages were cut.

        Without any, it begins with the order number `fallback`.
        """
        # The first order may have been another one, or the API may have refused some before it.
        for first in range(len(order_fallbacks(scan.direction, scan.repository, scan.reading))):
            scan.begin_with(first)
            while scan.cursor.call is not None:
                if self._pages.is_stored(scan.cursor.call, scan.attempts.number):
                    return
                if not scan.fall_back():
                    break
        scan.begin_with(fallback)

    def look(self, scan: Scan) -> None:
        """Find out whether a scan's next page is stored."""
        if self._is_stored(scan):
            self._scans.add(scan)
            self._over.clear()
        else:
            self._scans.discard(scan)
            if not self._scans:
                self._over.set()

    def _is_stored(self, scan: Scan) -> bool:
        """Return whether a scan's next page is stored, perhaps a shorter one than it asks for."""
        call, number = scan.cursor.call, scan.attempts.number
        if not self._pages.resumes or call is None or scan.is_over:
            return False
        if self._pages.is_stored(call, number):
            return True
        size = scan.page_size if scan in self._scans or not scan.cursor.pages else 0
        while (size := size // 2) > 0:
            if self._pages.is_stored(call.with_params(pageSize=str(size)), number):
                scan.cursor.resize(size)
                return True
        return False

    async def others(self, scan: Scan) -> None:
        """Wait, before a scan's next call, until the other scans have replayed their pages."""
        # Scans that replay are queued before all others, so a slot is left to run them.
        if self._scans and scan not in self._scans:
            await self._over.wait()
