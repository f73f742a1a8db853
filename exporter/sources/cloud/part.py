"""A part of a cloud's listing: registries that the driver has found, listed with the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.task import Priority, Rank, Task
from exporter.page import PageKey
from exporter.settings import Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.cloud.decode.resources import rows_to_arrow
from exporter.sources.cloud.discovery import call_of
from exporter.sources.cloud.doubts import Doubts
from exporter.sources.cloud.levels import CloudAdvice
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.registries import Registries
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.source import CloudSource
from exporter.sources.cloud.split.policy import part_policy
from exporter.sources.cloud.units import CloudUnit, NamedIn, RegistriesUnit, SpanUnit
from exporter.sources.patterns import PatternsSeen
from exporter.tables.listed import REPOSITORIES
from exporter.tables.listings import Listing

_NO_TABLES: Mapping[str, pa.Table] = {}


class CloudPart(CloudSource):
    """Lists the registries, and the spans of registries, of its units (`sources.parts.Part`).

    With `with_images=False`, it lists their repositories alone. Whether a registry that is not
    found is gone, it finds out as the driver would: it lists the parent again that named it.
    """

    def __init__(
        self, settings: Settings, units: Sequence[CloudUnit], *, with_images: bool = True
    ) -> None:
        super().__init__(settings, with_images=with_images)
        self._units = units
        self._filter = ScopeFilter(settings.scope)
        self._registries: Registries | None = None
        self._above = Above(units)
        self._read_again: list[ListingStatus] = []
        self._of_spans: list[ListingStatus] = []

    @property
    def expected_images(self) -> Mapping[str, int]:
        """The images of its registries in an earlier snapshot, by registry."""
        return {
            one: images
            for unit in self._units
            if isinstance(unit, RegistriesUnit)
            for one, images in unit.expected
        }

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
        met_elsewhere = {
            one
            for unit in self._units
            if isinstance(unit, RegistriesUnit)
            for one in unit.met_beside
        }
        registries = Registries(
            limits, crawl, pages, self._filter, met_elsewhere=met_elsewhere, policy=part_policy()
        )
        self._registries = registries
        for unit in self._units:
            if isinstance(unit, SpanUnit):
                self._open_span(registries, crawl, unit)
            elif not self._with_images:
                for registry_id in unit.registry_ids:
                    registries.look(registry_id, unit.parents, known=unit.known)
            elif unit.together:
                folder_id = unit.parents.folder_id or ""
                registries.open_together(folder_id, unit.registry_ids, unit.parents)
            else:
                for registry_id in unit.registry_ids:
                    registries.open(registry_id, unit.parents, known=unit.known)

    def _open_span(self, registries: Registries, crawl: Crawl, unit: SpanUnit) -> None:
        crawl.scheduler.add(NamesTask(crawl.pipeline, unit))
        if not self._with_images:
            return
        images = registries.open_span(unit.registry_id, unit.parents, unit.span, known=unit.known)
        self._of_spans.append(images)
        again = crawl.coverage.entry("repositories", unit.registry_id)
        if again is not None and again not in self._read_again:
            self._read_again.append(again)

    def idle_task(self) -> Task | None:
        """Return a part of the longest registry that can be split."""
        return self._registries.idle_task() if self._registries is not None else None

    def result(self) -> SourceResult:
        """Return no tables: the driver has them."""
        return SourceResult(_NO_TABLES)

    def told(self) -> PatternsSeen:
        """Return what was seen of the repositories."""
        return self._filter.patterns.seen

    def listed(self) -> Sequence[ListingStatus]:
        """Return the images of spans: two of them may be of the same registry."""
        return self._of_spans

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return the driver's listings that were made again."""
        return [*self._above.asked, *self._read_again]


class NamesTask:
    """Writes the rows of a span's repositories, which the driver has listed."""

    priority = Priority(Rank.DISCOVERY)
    has_prefetched = False

    def __init__(self, pipeline: PagePipeline, unit: SpanUnit) -> None:
        self._pipeline = pipeline
        self._unit = unit

    async def run_one(self) -> bool:
        """Hand the rows over, as one page."""
        unit = self._unit
        rows: list[Mapping[str, Any]] = [
            {
                "repository_id": unit.ids[name],
                "repository_name": name,
                "registry_id": unit.registry_id,
                "folder_id": unit.parents.folder_id,
                "cloud_id": unit.parents.cloud_id,
            }
            for name in unit.span.names
        ]
        tables = {REPOSITORIES.name: rows_to_arrow(rows, REPOSITORIES)}
        key = PageKey(f"repositories of {unit.registry_id} from {unit.span.first}")
        with await self._pipeline.small.reserve(0.0) as held:
            await self._pipeline.write(held, key, b"", b"", tables)
        return False


def _ids_of(unit: CloudUnit) -> tuple[str, ...]:
    return (unit.registry_id,) if isinstance(unit, SpanUnit) else unit.registry_ids


class Above:
    """The listings that named the registries of some units, their folders and their clouds."""

    def __init__(self, units: Sequence[CloudUnit]) -> None:
        self._entries: dict[NamedIn, ListingStatus] = {}
        self._named_in: dict[tuple[Listing, str], ListingStatus] = {}
        for unit in units:
            ids: tuple[str, ...] = _ids_of(unit)
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
