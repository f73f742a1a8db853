"""A survey of registries: their repositories, and a look at some, to plan an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from exporter.crawl.coverage import Coverage
from exporter.crawl.task import Task
from exporter.settings import Settings
from exporter.settings.oci import HUB, OFF
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.oci.cache import Cache, open_cache
from exporter.sources.oci.cache_view import CacheView
from exporter.sources.oci.credentials.challenges import choose, parse_challenges
from exporter.sources.oci.outlook import (
    Estimate,
    NamedBy,
    Outlook,
    QuotaLeft,
    Rates,
    RepositorySample,
    calls_of,
)
from exporter.sources.oci.quota import Quota
from exporter.sources.oci.registry import RegistryListing
from exporter.sources.oci.sampling import Looking, LookTask, spread
from exporter.sources.oci.source import OciSource
from exporter.sources.plan import Plan

MOST_REPOSITORIES = 20
"""Repositories of one registry that are looked at."""
MOST_MANIFESTS = 40
"""Manifests of one registry that are asked for."""


@dataclass(frozen=True)
class OciPlan(Plan):
    """The plan of an export of OCI registries; `outlooks` are those that could be looked at.

    `fewest_calls` are those for the lists of repositories, and one for the tags of each.
    """

    outlooks: Sequence[Outlook] = ()


class OciSurvey(OciSource):
    """Lists repositories, and looks at some (`sources.base.Source`); it writes nothing."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._view = CacheView(settings.oci.cache)
        self._waiting: list[Task] = []
        self._looks: dict[str, Looking] = {}
        self._samples: dict[str, list[RepositorySample]] = {}

    def idle_task(self) -> Task | None:
        """Begin to look at the repositories of a registry whose list is complete."""
        for listing in self._listings:
            if listing.is_listed and listing.registry_id not in self._looks:
                self._waiting += self._begin_to_look(listing)
        return self._waiting.pop() if self._waiting else None

    def open_cache(self) -> Cache:
        """Return an empty cache: the survey has a view of the other one."""
        return open_cache(OFF)

    def on_close(self) -> None:
        """Close the view."""
        super().on_close()
        self._view.__exit__(None, None, None)

    async def plan(self, crawl: Crawl, result: SourceResult) -> OciPlan:
        """Return the plan; see `sources.plan.Survey`."""
        coverage, expected = crawl.coverage, crawl.expected_images
        names = {row["registry_id"]: "" for row in result.tables["registries"].to_pylist()}
        lists = {one: _list_calls(coverage, one) for one in names}
        return OciPlan(
            coverage,
            names,
            {one: expected[one] for one in names if one in expected},
            sum(lists.values()) + sum(len(one.names) for one in self._listings),
            [
                await self._outlook(one, lists[one.registry_id])
                for one in self._listings
                if self._samples.get(one.registry_id)
            ],
        )

    def _begin_to_look(self, listing: RegistryListing) -> list[Task]:
        settings, crawl = listing.settings, self._crawl
        if crawl is None:
            raise RuntimeError("the survey was not started")
        names = spread(listing.names, MOST_REPOSITORIES)
        self._looks[listing.registry_id] = looking = Looking(
            listing.calls,
            crawl.client,
            self._view,
            Quota(),
            with_configs=self._settings.oci.configs,
            heads=settings.host == HUB,
            is_harbor=listing.is_harbor,
            immutable=tuple(settings.immutable_tags),
            most=max(MOST_MANIFESTS // max(len(names), 1), 1),
        )
        seen = self._samples[listing.registry_id] = []
        return [
            LookTask(
                looking,
                name.removeprefix(f"{listing.registry_id}/"),
                crawl.coverage.open("tags", name, known=False),
                seen.append,
                listing.not_found.append if settings.repositories else None,
            )
            for name in names
        ]

    async def _outlook(self, listing: RegistryListing, lists: int) -> Outlook:
        looking = self._looks[listing.registry_id]
        samples = self._samples[listing.registry_id]
        repositories, limits = len(listing.names), self._settings.limits
        rates = Rates(
            {kind: median(seconds) for kind, seconds in looking.seconds.items()},
            limits.concurrency,
            limits.requests_per_second,
        )
        cold, warm = (
            calls_of(
                samples,
                repositories=repositories,
                list_calls=lists,
                heads=looking.heads,
                is_harbor=looking.is_harbor,
                with_configs=looking.with_configs,
                cached=cached,
            )
            for cached in (False, True)
        )
        times = [one for seconds in looking.seconds.values() for one in seconds]
        tags = sum(one.tags for one in samples)
        challenge = choose(
            parse_challenges(await self._endpoints[listing.registry_id].challenges())
        )
        has_tokens = challenge is not None and challenge.scheme == "bearer"
        return Outlook(
            registry_id=listing.registry_id,
            flavor="harbor" if listing.is_harbor else "distribution",
            named_by=_named_by(listing),
            untagged_visible=listing.is_harbor,
            repositories=repositories,
            sampled=len(samples),
            tags=round(tags * repositories / len(samples)),
            is_exact=len(samples) == repositories and not any(one.is_cut for one in samples),
            cold=Estimate(cold, rates.time(cold)),
            warm=Estimate(warm, rates.time(warm)),
            tokens=repositories + bool(lists) if has_tokens else 0,
            latency=median(times) if times else None,
            quota=_left(looking.quota),
        )


def _named_by(listing: RegistryListing) -> NamedBy:
    if listing.settings.repositories:
        return "settings"
    return "projects" if listing.is_harbor else "catalog"


def _left(quota: Quota) -> QuotaLeft | None:
    return None if quota.left is None else QuotaLeft(quota.limit, quota.left, quota.seconds)


def _list_calls(coverage: Coverage, registry_id: str) -> int:
    entry = coverage.entry("repositories", registry_id)
    return 0 if entry is None else entry.pages
