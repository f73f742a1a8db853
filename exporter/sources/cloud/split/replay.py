"""What an earlier attempt kept is taken up first: all calls wait until it has been replayed."""

from __future__ import annotations

import asyncio

from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.split.scan import ImagesChain


class Replay:
    """The chains of one walk whose next page an earlier attempt kept.

    A chain that asked on, before another's kept pages are known, would list again what they hold.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._chains: set[ImagesChain] = set()
        self._over = asyncio.Event()

    def __bool__(self) -> bool:
        """Say whether anything is left to replay, so that how far the chains are is not known."""
        return bool(self._chains)

    def __contains__(self, chain: object) -> bool:
        return chain in self._chains

    def look(self, chain: ImagesChain) -> None:
        """Find out whether a chain's next page is one that was kept."""
        if self._is_stored(chain):
            self._chains.add(chain)
            self._over.clear()
        else:
            self._chains.discard(chain)
            if not self._chains:
                self._over.set()

    def _is_stored(self, chain: ImagesChain) -> bool:
        """Say whether a chain's next page was kept, maybe with fewer images than it asks for."""
        call = chain.chain.call
        if call is None or chain.done:
            return False
        if self._pages.is_stored(call, chain.attempt):
            return True
        size = chain.page_size if chain in self._chains or not chain.chain.pages else 0
        while (size := size // 2) > 0:
            if self._pages.is_stored(call.with_params(pageSize=str(size)), chain.attempt):
                chain.resize(size)
                return True
        return False

    async def others(self, chain: ImagesChain) -> None:
        """Wait, before a chain's next call, for what other chains have to replay."""
        # Chains that replay are queued before all others, so a slot is left to run them.
        if self._chains and chain not in self._chains:
            await self._over.wait()
