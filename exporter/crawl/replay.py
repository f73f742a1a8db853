"""What an earlier attempt kept is taken up first: all calls wait until it has been replayed."""

from __future__ import annotations

import asyncio

from exporter.crawl.chain import ImagesChain
from exporter.crawl.fetch import Fetcher


class Replay:
    """The chains of one walk whose next page an earlier attempt kept.

    A chain that asked on, before another's kept pages are known, would list again what they hold.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._chains: set[ImagesChain] = set()
        self._over = asyncio.Event()

    def __bool__(self) -> bool:
        """Say whether anything is left to replay, so that how far the chains are is not known."""
        return bool(self._chains)

    def __contains__(self, chain: object) -> bool:
        return chain in self._chains

    def look(self, chain: ImagesChain) -> None:
        """Find out whether a chain's next page is one that was kept."""
        call = chain.chain.call
        if call is not None and not chain.done and self._fetcher.is_kept(call, chain.attempt):
            self._chains.add(chain)
            self._over.clear()
        else:
            self._chains.discard(chain)
            if not self._chains:
                self._over.set()

    async def others(self, chain: ImagesChain) -> None:
        """Wait, before a chain's next call, for what other chains have to replay."""
        # Chains that replay are queued before all others, so a slot is left to run them.
        if self._chains and chain not in self._chains:
            await self._over.wait()
