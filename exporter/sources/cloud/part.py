"""A part of a cloud's listing: registries that the driver has found, listed with the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Task
from exporter.settings import Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.cloud.discovery import call_of
from exporter.sources.cloud.doubts import Doubts
from exporter.sources.cloud.levels import CloudAdvice
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.registries import Registries
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.source import CloudSource
from exporter.sources.cloud.units import NamedIn, RegistriesUnit
from exporter.sources.patterns import PatternsSeen
from exporter.tables.listings import Listing

_NO_TABLES: Mapping[str, pa.Table] = {}


class CloudPart(CloudSource):
    """Lists the registries of its units (`sources.parts.Part`).

    Whether a registry that is not found is gone, it finds out as the driver would: it lists the
    parent again that named it.
    """

    def __init__(self, settings: Settings, units: Sequence[RegistriesUnit]) -> None:
        super().__init__(settings)
        self._units = units
        self._filter = ScopeFilter(settings.scope)
        self._registries: Registries | None = None
        self._above = Above(units)

    @property
    def expected_images(self) -> Mapping[str, int]:
        """The images of its registries in an earlier snapshot, by registry."""
        return {one: images for unit in self._units for one, images in unit.expected}

    def start(self, crawl: Crawl) -> None:
        """Begin to list all registries."""
        limits = self._settings.limits
        pages = Pages(crawl.client, crawl.pipeline)
        doubts = Doubts(
            pages,
            crawl.scheduler.add,
            limits.page_size,
            self._above.named_in,
            lambda entry: call_of(entry, self._filter),
        )
        crawl.coverage.on_not_found = doubts.of
        crawl.coverage.advice = CloudAdvice()
        crawl.progress.discovered = True
        met_elsewhere = {one for unit in self._units for one in unit.met_beside}
        registries = Registries(limits, crawl, pages, self._filter, met_elsewhere=met_elsewhere)
        self._registries = registries
        for unit in self._units:
            if unit.together:
                folder_id = unit.parents.folder_id or ""
                registries.open_together(folder_id, unit.registry_ids, unit.parents)
            else:
                for registry_id in unit.registry_ids:
                    registries.open(registry_id, unit.parents, known=unit.known)

    def idle_task(self) -> Task | None:
        """Return a part of the longest registry that can be split."""
        return self._registries.idle_task() if self._registries is not None else None

    def result(self) -> SourceResult:
        """Return no tables: the driver has them."""
        return SourceResult(_NO_TABLES)

    def told(self) -> PatternsSeen:
        """Return what was seen of the repositories."""
        return self._filter.patterns.seen

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return the driver's listings that were made again."""
        return self._above.asked


class Above:
    """The listings that named the registries of some units, their folders and their clouds."""

    def __init__(self, units: Sequence[RegistriesUnit]) -> None:
        self._entries: dict[NamedIn, ListingStatus] = {}
        self._named_in: dict[tuple[Listing, str], ListingStatus] = {}
        for unit in units:
            ids = unit.registry_ids
            for named in unit.lineage:
                entry = self._entries.setdefault(
                    named, ListingStatus(named.listing, named.parent_id, named.known)
                )
                self._named_in.update(((named.listing, one), entry) for one in ids)
                ids = (named.parent_id,)

    def named_in(self, level: Listing, id_: str) -> ListingStatus | None:
        """Return the listing that named a resource of a level."""
        return self._named_in.get((level, id_))

    @property
    def asked(self) -> list[ListingStatus]:
        """Those that a call was made for."""
        return [entry for entry in self._entries.values() if entry.calls]
