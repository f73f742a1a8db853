"""The check of a split: a sample of the images, and what the scans find out about the list.

A split relies on a repository list that names all repositories, and on filters that work. Both can
look right on every page that the registry's own scans read, and be wrong behind the place where
they stop. So some images are asked for by digest, which is almost a random choice. If there is no
sample, its digests do not rise, or it shows a repository that is not listed, the registry is not
split. The sample also shows how large the registry and its repositories are, and so whether a split
is worth its calls, and which repository goes first.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError
from exporter.http.types import Call
from exporter.settings import Limits
from exporter.sources.cloud.decode.sample import SamplePage
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.policy import SplitPolicy

log = structlog.get_logger()

LARGEST_PAGE = 1000
"""The most images that the API sends on a page (`README.md`, List calls)."""
LARGEST_IMAGE = 16 * 1024
"""The most bytes that an image takes in an answer, on average over a page."""


class Sample:
    """Images of a registry in the order of their digests, from any number of pages."""

    def __init__(self, policy: SplitPolicy) -> None:
        self._policy = policy
        self.images = 0
        self.in_order = True
        self.whole = False
        """Whether these are all images of the registry."""
        self._counts: Counter[str] = Counter()
        self._last = ""

    def add(self, page: SamplePage) -> None:
        """Add the next page."""
        self.images += page.listed
        self.whole = not page.next_token
        self._counts.update(page.counts)
        if page.listed:
            self.in_order = self.in_order and page.digests_rise and self._last <= page.first
            self._last = page.last

    @property
    def enough(self) -> bool:
        """Whether the sample is large enough to rely on."""
        return self.whole or self.images >= self._policy.enough_sampled

    @property
    def total(self) -> float | None:
        """How many images the registry may have; None if the digests cannot tell.

        Digests are spread evenly. So if the first thousand of them reach to a tenth of all possible
        digests, there are about ten thousand images.
        """
        if self.whole:
            return float(self.images)
        reached = re.match(r"sha256:([0-9a-f]{8})", self._last)
        covered = (int(reached[1], 16) + 1) / 16**8 if reached else 0.0
        return self.images / covered if covered >= self._policy.min_sampled_share else None

    @property
    def nameless(self) -> int:
        """How many of its images name no repository."""
        return self.images - self._counts.total()

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of the sample that each of its repositories has."""
        return {name: count / self.images for name, count in self._counts.items()}


def page_size_for(limits: Limits) -> int:
    """Return how many images to ask for on a page of a sample: as many as an answer may hold.

    The user's pages may hold few images, and a sample of a few such pages would miss much.
    """
    fitting = limits.max_page_bytes // LARGEST_IMAGE
    return min(LARGEST_PAGE, max(limits.page_size, fitting))


class SampleTask:
    """Asks for a sample of a registry's images; `taken` receives it, or None if there is none.

    It has `least_pages`, unless the registry has fewer. Its calls count in `entry`.
    """

    priority = Priority(Rank.LISTING, math.inf)
    has_prefetched = False

    def __init__(
        self,
        pages: Pages,
        registry: Call,
        page_size: int,
        entry: ListingStatus,
        policy: SplitPolicy,
        taken: Callable[[Sample | None], None],
        *,
        least_pages: int = 1,
    ) -> None:
        self._pages = pages
        self._cursor = PageCursor(registry.with_params(orderBy="digest"), page_size=page_size)
        self._entry = entry
        self._taken = taken
        self._policy = policy
        self._least_pages = least_pages
        self._sample = Sample(policy)

    async def run_one(self) -> bool:
        """Ask for the next page; return True while there are too few images."""
        call = self._cursor.call
        if call is None:
            return False
        try:
            page, calls = await self._pages.sample(call, self._cursor.check)
            self._entry.spent(calls)
            self._sample.add(page)
            self._cursor.advance(page.next_token, items=page.listed)
        except ApiError as error:
            self._entry.spent(error.calls)
            if error.shorter_page_may_do and self._cursor.shorten(error.reason):
                return True
            log.info("no_witness", scope=error.scope, reason=error.reason)
            self._taken(None)
            return False
        pages = self._cursor.pages
        if not self._sample.whole and pages < self._least_pages:
            return True
        if not self._sample.enough and pages < self._policy.max_sample_pages:
            return True
        self._taken(self._sample)
        return False


class SplitCheck:
    """The facts that one registry's listing has found out about its list of repositories.

    Of the repositories that were listed alone, `gone` are those that answered 404, `empty` those
    without images, and `refused` those that failed for another reason. `listed_now` is the list as
    it was read again; None if it was not read again, or not completely.
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.empty: set[str] = set()
        self.refused: set[str] = set()
        self.listed_now: frozenset[str] | None = None
        self._sampled: Mapping[str, float] = {}

    def sampled(self, sample: Sample | None, partition: RepositoryPartition) -> str | None:
        """Note the sample; return the reason not to rely on the list, or None."""
        if sample is None or not sample.enough:
            return "no sample of the images by digest was complete"
        if not sample.in_order:
            return "an order asked for by digest is not the order that came"
        self._sampled = sample.shares
        unlisted = partition.unlisted(self._sampled)
        return f"repository {unlisted[0]} has images, but is not listed" if unlisted else None

    def confirmed(self, shares: Mapping[str, float]) -> None:
        """Note what an earlier sample shows, which has confirmed the list (`Sample.shares`)."""
        self._sampled = shares

    @property
    def unread(self) -> set[str]:
        """The repositories that gave no images when they were listed alone."""
        return self.gone | self.empty | self.refused

    def contradiction(self) -> str | None:
        """Return, at the end, why the split may have missed images; None if it has not."""
        for name in sorted(self.gone):
            if self.listed_now is None or name in self.listed_now:
                return f"repository {name} is not found, but is listed"
        for name in sorted(self.empty & self._sampled.keys()):
            return f"repository {name} has images, but none when it is listed alone"
        return None
