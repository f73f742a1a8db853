"""A witness to whether a registry can be split, and what its chains find out about that.

Claims rely on two things: that the list of repositories names them all, and that the server sorts
as it is asked to. Both can look right on every page that the registry's own chains see, and be
wrong behind the place where they stop. So once a registry is split, one page is asked for by
digest: a repository on it that is not listed, or digests that do not rise, end the splitting. It
also shows which repositories are large, so that those are begun first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container

import structlog

from exporter.api import Call, Chain
from exporter.crawl.fetch import Fetcher
from exporter.errors import ApiError
from exporter.tables.sample import Sample

log = structlog.get_logger()


class Witness:
    """Asks for one page of a registry's images by digest; `told` takes it, and the calls it took.

    Without an answer it says nothing: the listing itself will fail if the API does.
    """

    rank = 1
    weight = math.inf

    def __init__(
        self,
        fetcher: Fetcher,
        registry: Call,
        page_size: int,
        told: Callable[[Sample | None, int], None],
    ) -> None:
        self._fetcher = fetcher
        self._chain = Chain(registry.with_params(orderBy="digest"), page_size=page_size)
        self._told = told

    async def step(self) -> bool:
        """Ask for the page."""
        call = self._chain.call
        if call is not None:
            try:
                sample, calls = await self._fetcher.sample(call)
            except ApiError as error:
                log.info("no_witness", scope=error.scope, reason=error.reason)
                self._told(None, error.calls)
            else:
                self._told(sample, calls)
        return False


class Evidence:
    """What one registry's listing has found out about the list of its repositories.

    `gone` are the listed repositories that answered 404 when listed alone, `empty` those that held
    nothing; `listed_now` is the list as it was read again, None while it was not, or not whole.
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.empty: set[str] = set()
        self.listed_now: frozenset[str] | None = None
        self._sample: Sample | None = None

    def heard(self, sample: Sample, listed: Container[str]) -> str | None:
        """Take what a witness says; return the reason not to rely on claims, if there is one."""
        self._sample = sample
        if not sample.digests_rise:
            return "an order asked for by digest is not the order that came"
        strangers = sorted(name for name in sample.shares if name not in listed)
        return f"repository {strangers[0]} has images, but is not listed" if strangers else None

    def contradiction(self) -> str | None:
        """Return, at the end, why what was listed alone may not be all that there is."""
        for name in sorted(self.gone):
            if self.listed_now is None or name in self.listed_now:
                return f"repository {name} is not found, but is listed"
        sampled = self._sample.shares if self._sample is not None else {}
        for name in sorted(self.empty & sampled.keys()):
            return f"repository {name} has images, but none when it is listed alone"
        return None
