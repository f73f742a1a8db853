"""The driver of a cloud's listing in parts: it finds the registries, and others list them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil
from typing import NamedTuple

from exporter.crawl.coverage import ListingStatus
from exporter.settings import Limits, Settings
from exporter.sources.base import Crawl
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.discovery import Discovery
from exporter.sources.cloud.grouping import Grouping
from exporter.sources.cloud.long_registry import LONG, LongRegistry
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.source import CloudSource
from exporter.sources.cloud.units import NamedIn, RegistriesUnit, SpanUnit
from exporter.sources.parts import Unit
from exporter.sources.patterns import PatternsSeen

UNKNOWN_PAGES = 16.0
"""Pages that a registry is expected to have if no snapshot knows it: many such go to many parts."""


class CloudDriver(CloudSource):
    """Finds clouds, folders and registries as `CloudSource` does (`sources.parts.Driver`).

    `never_shared` are registries that are listed whole, however long they are.
    """

    def __init__(self, settings: Settings, never_shared: Collection[str] = ()) -> None:
        super().__init__(settings)
        self._never_shared = never_shared
        self._noted: NotedRegistries | None = None
        self._shared: set[str] = set()

    def start(self, crawl: Crawl) -> None:
        """Submit the listing of the clouds."""

        def note(
            limits: Limits, crawl: Crawl, pages: Pages, wanted: ScopeFilter
        ) -> NotedRegistries:
            self._noted = NotedRegistries(limits, crawl, pages, wanted, self._never_shared)
            return self._noted

        self._started = Discovery(self._settings, crawl, with_images=True, registries=note)
        self._started.start()

    @property
    def expected_pages(self) -> float:
        """How many pages all parts together may list, after the last task has ended."""
        return sum(map(self._pages_of, self._registries.groups))

    def units(self, most_pages: float) -> Sequence[Unit]:
        """Return units: a registry, some of a folder that go together, or a span of a long one."""
        self._shared.clear()
        groups = sorted(self._registries.groups, key=lambda group: group.registry_ids)
        return [unit for group in groups for unit in self._units_of(group, most_pages)]

    def listed(self) -> Sequence[ListingStatus]:
        """Return the lists of repositories that were read here, of registries in spans."""
        return [one.repositories for one in self._looked_at(shared=True)]

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return listings of which only some calls were made here."""
        looked_at = self._registries.looked_at.values()
        whole = [one.repositories for one in self._looked_at(shared=False)]
        return [one for one in (*whole, *(each.images for each in looked_at)) if one.calls]

    def take(self, told: PatternsSeen) -> None:
        """Take what a part has seen of the repositories."""
        self.discovery.see(told)

    @property
    def _registries(self) -> NotedRegistries:
        if self._noted is None:
            raise RuntimeError("the source was not started")
        return self._noted

    def _looked_at(self, *, shared: bool) -> Iterator[LongRegistry]:
        for registry_id, one in self._registries.looked_at.items():
            if (registry_id in self._shared) is shared:
                yield one

    def _units_of(self, group: Group, most_pages: float) -> Iterator[Unit]:
        ids, parents, known, together = group
        lineage = tuple(
            NamedIn(one.listing, one.parent_id, one.known) for one in self.discovery.lineage(ids[0])
        )
        long = self._registries.looked_at.get(ids[0])
        spans = long.spans(most_pages) if long is not None and long.is_shared else ()
        if long is not None and len(spans) > 1:
            self._shared.add(ids[0])
            for span in spans:
                own = {name: long.ids[name] for name in span.names}
                part = SpanUnit(ids[0], parents, known, lineage, span, own)
                yield Unit(part, long.weight(span), ids[0])
            return
        expected = self._registries.expected
        work = RegistriesUnit(
            registry_ids=ids,
            parents=parents,
            known=known,
            together=together,
            lineage=lineage,
            met_beside=tuple(self.discovery.met_beside(ids[0])) if together else (),
            expected=tuple((one, expected[one]) for one in ids if one in expected),
        )
        yield Unit(work, self._pages_of(group), parents.folder_id or "")

    def _pages_of(self, group: Group) -> float:
        ids, expected = group.registry_ids, self._registries.expected
        if not all(one in expected for one in ids):
            return UNKNOWN_PAGES
        images = sum(expected[one] for one in ids)
        # Each registry takes a call for its repositories.
        return float(len(ids) + max(1, ceil(images / self._settings.limits.page_size)))


class Group(NamedTuple):
    """Registries that one part lists: one, or some of a folder that are listed together."""

    registry_ids: tuple[str, ...]
    parents: Parents
    known: bool
    together: bool


class NotedRegistries:
    """Notes which registries are to be listed (`discovery.RegistryListings`), and lists none.

    `looked_at` are the long ones, by id: they may be listed in spans.
    """

    def __init__(
        self,
        limits: Limits,
        crawl: Crawl,
        pages: Pages,
        wanted: ScopeFilter,
        never_shared: Collection[str],
    ) -> None:
        self.expected: Mapping[str, int] = crawl.expected_images
        self.groups: list[Group] = []
        self.looked_at: dict[str, LongRegistry] = {}
        self.grouping = Grouping(
            self, self.expected, limits.page_size, joins=wanted.all_repositories
        )
        self._limits = limits
        self._pages = pages
        self._submit = crawl.scheduler.add
        self._may_share = limits.split_listings and wanted.all_repositories
        self._never_shared = frozenset(never_shared)

    def open(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """Note a registry to be listed by itself, and look at a long one."""
        self.groups.append(Group((registry_id,), parents, known, together=False))
        pages = self.expected.get(registry_id, 0) / self._limits.page_size
        if self._may_share and pages >= LONG and registry_id not in self._never_shared:
            long = LongRegistry(
                registry_id, parents, pages, self._pages, self._limits, self._submit, known=known
            )
            self.looked_at[registry_id] = long
            long.start()

    def open_together(self, folder_id: str, registry_ids: Sequence[str], parents: Parents) -> None:
        """Note registries to be listed together."""
        self.groups.append(Group(tuple(sorted(registry_ids)), parents, known=True, together=True))

    def look(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """Note a registry to be listed: that shows whether it exists."""
        self.open(registry_id, parents, known=known)

    def idle_task(self) -> None:
        """Return None: nothing is listed here."""
