"""A long registry: whether several runs may each list a span of its repositories, and which.

They may if the repository list can be relied on, as in a split, and if that takes hardly more calls
than one run that lists the registry from its beginning to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import ApiError
from exporter.settings import Limits
from exporter.sources.cloud.decode.resources import Parents, Resource
from exporter.sources.cloud.images import images_call
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.resources import ResourcesTask, listing_call
from exporter.sources.cloud.split.check import Sample, SampleTask, SplitCheck, page_size_for
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.policy import PART_PAGES_BEFORE_DOWN, default_policy
from exporter.sources.cloud.split.span import Span, spans

log = structlog.get_logger()

LONG = 100.0
"""Pages from which on a registry is looked at: a shorter one is soon listed by one task."""
MOST_MORE_CALLS = 0.045
"""The share of calls that several runs may take more than one run, for the whole registry."""
MOST_SAMPLED = 0.01
"""The share of calls that may go into the sample."""
_LAST_PAGE = 0.5
"""The part of a page that each repository takes more if it is listed alone, on average."""


class LongRegistry:
    """One such registry, while the driver looks at it; its `repositories` and `images` count calls.

    `expected_pages` are those of its images in an earlier snapshot. First `start`; once all tasks
    have ended, `spans` says how to share it out, if it may be.
    """

    def __init__(
        self,
        registry_id: str,
        parents: Parents,
        expected_pages: float,
        pages: Pages,
        limits: Limits,
        submit: Callable[[Task], None],
        *,
        known: bool,
    ) -> None:
        self.registry_id = registry_id
        self.parents = parents
        self.known = known
        self.repositories = ListingStatus("repositories", registry_id, known)
        self.images = ListingStatus("images", registry_id, known)
        self.ids: dict[str, str | None] = {}
        """The ids of its repositories, by name."""
        self._expected = expected_pages
        self._pages = pages
        self._limits = limits
        self._submit = submit
        self._partition = RepositoryPartition()
        self._sample: Sample | None = None
        self._is_shared = False

    def start(self) -> None:
        """List its repositories, and then see whether the list can be relied on."""

        def found(resource: Resource) -> None:
            self.ids[resource.id] = resource.row["repository_id"]

        self._submit(
            ResourcesTask(
                self._pages,
                self.repositories,
                listing_call("repositories", self.registry_id),
                self.parents,
                self._limits.page_size,
                staged=lambda _: False,
                found=found,
                ended=self._listed,
            )
        )

    @property
    def is_shared(self) -> bool:
        """Whether several runs may list it; otherwise one lists it from its beginning."""
        return self._is_shared

    def spans(self, most_pages: float) -> Sequence[Span]:
        """Return spans of about so many pages each; fewer if more of them took too many calls."""
        sample = self._sample
        if sample is None:
            raise RuntimeError("the registry is not shared")
        weights = self._weights(sample)
        most = (self._calls_to_spare - self._calls_more(weights)) / self._list_pages
        count = max(1, min(ceil(sum(weights) / most_pages), int(most), len(weights)))
        return spans(self._partition.names, weights, sample.shares, sample.total, count)

    def weight(self, span: Span) -> float:
        """Return how many pages a span may have."""
        by_name = dict(zip(self._partition.names, self._weights(self._sample), strict=True))
        return sum(by_name[name] for name in span.names)

    # How it is looked at.

    def _listed(self, error: ApiError | None) -> None:
        if error is not None:
            self._give_up(error.reason)
            return
        self.repositories.complete()
        self._partition = RepositoryPartition(self.ids)
        if not self.repositories.whole or not self._partition.is_listable:
            self._give_up("its list of repositories cannot be relied on")
        elif self._calls_more(self._weights(None)) + 2 * self._list_pages > self._calls_to_spare:
            self._give_up("its repositories are too small to be listed alone")
        else:
            self._submit(
                SampleTask(
                    self._pages,
                    images_call(
                        "registryId", self.registry_id, f"images of registry {self.registry_id}"
                    ),
                    page_size_for(self._limits),
                    self.images,
                    default_policy(),
                    self._sampled,
                    least_pages=self._sample_pages,
                )
            )

    @property
    def _sample_pages(self) -> int:
        """Pages of the sample: as many as are cheap, for it must show what is not listed."""
        cheap = int(self._expected * MOST_SAMPLED)
        return min(max(1, cheap), default_policy().max_sample_pages)

    def _sampled(self, sample: Sample | None) -> None:
        reason = SplitCheck().sampled(sample, self._partition)
        if reason is None and sample is not None and sample.nameless:
            reason = "images of it name no repository"
        if reason is not None or sample is None:
            self._give_up(reason or "")
            return
        self._sample = sample
        largest = max(self._partition.names, key=lambda name: sample.shares.get(name, 0.0))
        self._submit(AloneTask(self._pages, largest, self.images, self._alone))

    def _alone(self, reason: str | None) -> None:
        if reason is not None:
            self._give_up(reason)
        else:
            self._is_shared = True
            log.info(
                "registry_shared",
                registry_id=self.registry_id,
                repositories=len(self._partition.names),
            )

    def _give_up(self, reason: str) -> None:
        log.info("registry_not_shared", registry_id=self.registry_id, reason=reason)

    # What it would take.

    def _weights(self, sample: Sample | None) -> list[float]:
        """Return the pages that each repository may take alone, in the order of names."""
        names = self._partition.names
        if sample is None:
            return [max(1.0, self._expected / len(names) + _LAST_PAGE)] * len(names)
        shares = sample.shares
        return [max(1.0, shares.get(name, 0.0) * self._expected + _LAST_PAGE) for name in names]

    def _calls_more(self, weights: Sequence[float]) -> float:
        """Return how many calls they take more than one run, without the list read again."""
        sampled = self._sample_pages + 1
        second_scans = sum(weight >= PART_PAGES_BEFORE_DOWN for weight in weights)
        return sum(weights) - self._expected + second_scans + sampled

    @property
    def _calls_to_spare(self) -> float:
        return self._expected * MOST_MORE_CALLS

    @property
    def _list_pages(self) -> int:
        """Pages of the list of repositories, which each span reads once more."""
        return max(1, ceil(len(self.ids) / self._limits.page_size))


class AloneTask:
    """Asks for one image of a repository alone; `told` receives why that cannot be relied on."""

    priority = Priority(Rank.LISTING)
    has_prefetched = False

    def __init__(
        self,
        pages: Pages,
        repository: str,
        entry: ListingStatus,
        told: Callable[[str | None], None],
    ) -> None:
        call = images_call("repositoryName", repository, f"images of repository {repository}")
        self._pages = pages
        self._repository = repository
        self._entry = entry
        self._told = told
        self._cursor = PageCursor(call, page_size=1)

    async def run_one(self) -> bool:
        """Ask for it; one call is enough."""
        call = self._cursor.call
        if call is None:
            return False
        try:
            page, calls = await self._pages.sample(call, self._cursor.check)
        except ApiError as error:
            self._entry.spent(error.calls)
            self._told(error.reason)
            return False
        self._entry.spent(calls)
        right = page.counts.keys() == {self._repository}
        self._told(None if right else "a repository listed alone shows other images")
        return False
