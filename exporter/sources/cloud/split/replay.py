"""What an earlier attempt kept is taken up first: all calls wait until it has been replayed."""

from __future__ import annotations

import asyncio

from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.split.scan import Scan


class Replay:
    """The chains of one walk whose next page an earlier attempt kept.

    A chain that asked on, before another's kept pages are known, would list again what they hold.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._scans: set[Scan] = set()
        self._over = asyncio.Event()

    def __bool__(self) -> bool:
        """Say whether anything is left to replay, so that how far the chains are is not known."""
        return bool(self._scans)

    def __contains__(self, scan: object) -> bool:
        return scan in self._scans

    def look(self, scan: Scan) -> None:
        """Find out whether a chain's next page is one that was kept."""
        if self._is_stored(scan):
            self._scans.add(scan)
            self._over.clear()
        else:
            self._scans.discard(scan)
            if not self._scans:
                self._over.set()

    def _is_stored(self, scan: Scan) -> bool:
        """Say whether a chain's next page was kept, maybe with fewer images than it asks for."""
        call = scan.cursor.call
        if call is None or scan.done:
            return False
        if self._pages.is_stored(call, scan.attempt):
            return True
        size = scan.page_size if scan in self._scans or not scan.cursor.pages else 0
        while (size := size // 2) > 0:
            if self._pages.is_stored(call.with_params(pageSize=str(size)), scan.attempt):
                scan.resize(size)
                return True
        return False

    async def others(self, scan: Scan) -> None:
        """Wait, before a chain's next call, for what other chains have to replay."""
        # Chains that replay are queued before all others, so a slot is left to run them.
        if self._scans and scan not in self._scans:
            await self._over.wait()
