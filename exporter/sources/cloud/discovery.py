"""Discovery: from clouds to folders to registries, level by level.

If the user named something that no list from above shows, it is asked for directly, and its parents
stay unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Task
from exporter.errors import ApiError
from exporter.http.types import Call
from exporter.settings import Limits, Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.cloud.decode.resources import Parents, Resource
from exporter.sources.cloud.doubts import Doubts
from exporter.sources.cloud.found import FoundResources
from exporter.sources.cloud.grouping import Grouping, Opens
from exporter.sources.cloud.levels import LEVELS, NAMED_BY, CloudAdvice
from exporter.sources.cloud.named import Named
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.registries import Registries
from exporter.sources.cloud.resources import ResourcesTask, listing_call
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.patterns import PatternsSeen
from exporter.tables.listings import ALL, Listing

log = structlog.get_logger()


class RegistryListings(Opens, Protocol):
    """The listings of the registries that discovery meets."""

    @property
    def grouping(self) -> Grouping:
        """The decision which of them are listed together."""
        ...

    def idle_task(self) -> Task | None:
        """Return a part of the longest registry that can be split."""
        ...


ListRegistries = Callable[[Limits, Crawl, Pages, ScopeFilter], RegistryListings]


class Discovery:
    """Everything that one run lists, and the result.

    With `with_images=False` it stops at the registries, but for those that it asks for directly: a
    list of their repositories proves that they exist. `registries` makes what lists them.
    """

    def __init__(
        self,
        settings: Settings,
        crawl: Crawl,
        *,
        with_images: bool,
        registries: ListRegistries = Registries,
    ) -> None:
        self._page_size = settings.limits.page_size
        self._pages = Pages(crawl.client, crawl.pipeline)
        self._coverage = crawl.coverage
        self._progress = crawl.progress
        self._submit = crawl.scheduler.add
        self._filter = ScopeFilter(settings.scope)
        self._with_images = with_images
        self._found = FoundResources(self._filter)
        self._registries = registries(settings.limits, crawl, self._pages, self._filter)
        self._named = Named(self._filter, self._found, self._coverage, with_images=with_images)
        doubts = Doubts(
            self._pages, self._submit, self._page_size, self._found.named_in, self._call_of
        )
        self._coverage.on_not_found = doubts.of
        self._coverage.advice = CloudAdvice()
        self._open: Counter[Listing] = Counter()
        self._level = 0
        self._failed_look_ups: list[ListingStatus] = []

    def start(self) -> None:
        """List the clouds; each one found leads to its folders, and those to their registries."""
        self._list("clouds", self._filter.organization_id, Parents(), known=False)

    def idle_task(self) -> Task | None:
        """Return a part of the longest registry that can be split."""
        return self._registries.idle_task()

    def result(self) -> SourceResult:
        """Return the resources above the repositories; enter in the coverage what was not found.

        The result carries a refusal: `ScopeError` if nothing that was named was found,
        `DeniedError` if every listing was denied.
        """
        self._named.settle(looked_everywhere=not self._failed_look_ups)
        self._found.count_rows(self._coverage)
        return SourceResult(
            self._found.tables(self._coverage),
            self._found.left_out(self._coverage),
            self._named.refusal(),
        )

    def registry_folders(self) -> dict[str, str | None]:
        """Return the registries in scope, each with its folder; None for those only named."""
        return self._found.registry_folders()

    def lineage(self, registry_id: str) -> list[ListingStatus]:
        """Return the listings that named a registry, its folder and its cloud, as far as known."""
        named: list[ListingStatus] = []
        id_ = registry_id
        for level in reversed(LEVELS):
            entry = self._found.named_in(level, id_)
            if entry is None:
                break
            named.append(entry)
            id_ = entry.parent_id
        return named

    def met_beside(self, registry_id: str) -> list[str]:
        """Return the registries on the list that named a registry, in scope or not."""
        entry = self._found.named_in("registries", registry_id)
        return [] if entry is None else self._found.met_in(entry)

    def see(self, seen: PatternsSeen) -> None:
        """Note what another run has seen of the repositories."""
        self._filter.patterns.take(seen)

    # Discovery, level by level.

    def _list(
        self,
        listing: Listing,
        parent_id: str | None,
        parents: Parents,
        *,
        known: bool,
    ) -> None:
        entry = self._coverage.open(
            listing, ALL if listing == "clouds" else parent_id or ALL, known=known
        )
        self._open[listing] += 1
        go_into: Mapping[Listing, Callable[[Resource], None]] = {
            "clouds": self._cloud,
            "folders": self._folder,
            "registries": partial(self._registry, parents),
        }

        def found(resource: Resource) -> None:
            self._found.meet(entry, resource)
            go_into[listing](resource)

        task = ResourcesTask(
            self._pages,
            entry,
            listing_call(listing, parent_id),
            parents,
            self._page_size,
            found=found,
            ended=partial(self._listed, entry, parents),
        )
        self._submit(task)

    def _cloud(self, cloud: Resource) -> None:
        if setting := self._filter.left_out_by("clouds", cloud.id):
            self._skip("folders", cloud.id, setting)
        elif self._found.note("clouds", cloud):
            self._list("folders", cloud.id, Parents(cloud_id=cloud.id), known=True)

    def _folder(self, folder: Resource) -> None:
        if setting := self._filter.left_out_by("folders", folder.id):
            self._skip("registries", folder.id, setting)
        elif self._found.note("folders", folder):
            parents = Parents(cloud_id=folder.row["cloud_id"], folder_id=folder.id)
            self._list("registries", folder.id, parents, known=True)

    def _registry(self, parents: Parents, registry: Resource) -> None:
        if setting := self._filter.left_out_by("registries", registry.id):
            self._skip("repositories", registry.id, setting)
            self._skip("images", registry.id, setting)
        elif self._found.note("registries", registry) and self._with_images:
            own = Parents(parents.cloud_id, registry.row["folder_id"])
            if own == parents:
                self._registries.grouping.add(registry.id, own)
            else:
                self._registries.open(registry.id, own, known=True)

    def _skip(self, listing: Listing, parent_id: str, setting: str) -> None:
        if self._coverage.entry(listing, parent_id) is None:
            self._coverage.open(listing, parent_id).skip(f"left out by {setting}")

    def _listed(self, entry: ListingStatus, parents: Parents, error: ApiError | None) -> None:
        if error is None:
            entry.complete()
        else:
            entry.fail(error)
        if not entry.whole and self._found.is_a_look_up(entry.listing):
            self._failed_look_ups.append(entry)
        if entry.listing == "registries":
            self._registries.grouping.folder_listed(parents)
        self._open[entry.listing] -= 1
        self._go_down()

    def _go_down(self) -> None:
        """Once all lists of a level have ended, ask directly for named ids that none has shown."""
        while self._level < len(LEVELS) and not any(
            self._open[listing] for listing in LEVELS[: self._level + 1]
        ):
            listing = LEVELS[self._level]
            self._level += 1
            for missing in self._found.missing(listing):
                log.info("asked_directly", kind=listing, id=missing)
                self._ask_directly(listing, missing)
        if self._level == len(LEVELS) and not self._progress.discovered:
            self._progress.discovered = True
            self._forgive_look_ups()

    def _forgive_look_ups(self) -> None:
        """Count a failed look-up as no loss, if everything that was named is found.

        A user may name a registry without a right to read its parents, which are null then
        (`tables/README.md`).
        """
        missing = self._found.missing("clouds") or self._found.missing("folders")
        if self._filter.registries or not missing:
            for entry in self._failed_look_ups:
                if not self._is_named(entry):
                    entry.forgive()

    def _is_named(self, entry: ListingStatus) -> bool:
        """Return whether the user named the parent of a listing."""
        level = NAMED_BY.get(entry.listing)
        return level is not None and entry.parent_id in self._filter.named[level]

    def _call_of(self, entry: ListingStatus) -> Call:
        return call_of(entry, self._filter)

    def _ask_directly(self, listing: Listing, missing: str) -> None:
        if listing == "clouds":
            self._list("folders", missing, Parents(cloud_id=missing), known=False)
        elif listing == "folders":
            self._list("registries", missing, Parents(folder_id=missing), known=False)
        elif self._with_images:
            self._registries.open(missing, Parents(), known=False)
        else:
            self._registries.look(missing, Parents(), known=False)


def call_of(entry: ListingStatus, wanted: ScopeFilter) -> Call:
    """Return the first call of a listing of clouds, folders or registries."""
    above = entry.listing == "clouds"
    return listing_call(entry.listing, wanted.organization_id if above else entry.parent_id)
