"""What the walks of one run share, and how the scheduler sees a chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.crawl.page_store import Keeper
from exporter.crawl.pipeline import Fetcher
from exporter.crawl.scheduler import Job
from exporter.sources.cloud.scope import Wanted
from exporter.sources.cloud.split.scan import ImagesChain

if TYPE_CHECKING:
    from exporter.sources.cloud.split.listing import Walk


@dataclass
class Context:
    """What the walks of a run share.

    `sample_size` are the images on a witness's page, `slots` is how many calls there may be at
    once, `split` whether listings may be split. `queue` gives a chain to the scheduler, `refresh`
    has a registry's repositories listed again, `may_ask_ahead` says whether a job may ask for its
    next page before it has dealt with the one in hand. `rung` is the first `orderBy` that the API
    has not refused, `backwards` whether it sorts downwards as far as is known.
    """

    fetcher: Fetcher
    keeper: Keeper
    wanted: Wanted
    page_size: int
    sample_size: int
    slots: int
    split: bool
    queue: Callable[[Job], None]
    refresh: Callable[[Walk], None]
    may_ask_ahead: Callable[[Job], bool]
    rung: int = 0
    backwards: bool = True

    @property
    def filter(self) -> Callable[[str], bool] | None:
        """Which repositories' images to keep, by name; None for all of them."""
        return None if self.wanted.all_repositories else self.wanted.repository


class PageJob:
    """The scheduler's view of a chain: one step is one page."""

    rank = 1

    def __init__(self, walk: Walk, chain: ImagesChain) -> None:
        self._walk = walk
        self._chain = chain

    @property
    def weight(self) -> float:
        """Pages that may still come."""
        return self._walk.pages_left(self._chain)

    @property
    def holds(self) -> bool:
        """Whether the chain's next page is asked for already."""
        return self._chain.ahead is not None

    async def step(self) -> bool:
        """Ask for the chain's next page."""
        return await self._walk.step(self._chain)
