"""The driver of a cloud's listing in parts: it finds the registries, and others list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from exporter.settings import Limits, Settings
from exporter.sources.base import Crawl
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.discovery import Discovery
from exporter.sources.cloud.grouping import Grouping
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.source import CloudSource
from exporter.sources.cloud.units import NamedIn, RegistriesUnit
from exporter.sources.parts import Unit
from exporter.sources.patterns import PatternsSeen


class CloudDriver(CloudSource):
    """Finds clouds, folders and registries as `CloudSource` does (`sources.parts.Driver`)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._noted: NotedRegistries | None = None

    def start(self, crawl: Crawl) -> None:
        """Submit the listing of the clouds."""

        def note(
            limits: Limits, crawl: Crawl, _pages: Pages, wanted: ScopeFilter
        ) -> NotedRegistries:
            self._noted = NotedRegistries(limits, crawl, wanted)
            return self._noted

        self._started = Discovery(self._settings, crawl, with_images=True, registries=note)
        self._started.start()

    @property
    def expected_pages(self) -> float:
        """How many pages all parts together may list, after the last task has ended."""
        return sum(unit.pages for unit in self.units(0.0))

    def units(self, most_pages: float) -> Sequence[Unit]:
        """Return a unit for each registry, or for those of a folder that are listed together."""
        if self._noted is None:
            raise RuntimeError("the source was not started")
        return sorted(map(self._unit, self._noted.groups), key=lambda unit: unit.work.registry_ids)

    def take(self, told: PatternsSeen) -> None:
        """Take what a part has seen of the repositories."""
        self.discovery.see(told)

    def _unit(self, group: _Group) -> Unit:
        ids, parents, known, together = group
        expected = self._noted.expected if self._noted else {}
        lineage = self.discovery.lineage(ids[0])
        images = sum(expected.get(one, 0) for one in ids)
        work = RegistriesUnit(
            registry_ids=ids,
            parents=parents,
            known=known,
            together=together,
            lineage=tuple(NamedIn(one.listing, one.parent_id, one.known) for one in lineage),
            met_beside=tuple(self.discovery.met_beside(ids[0])) if together else (),
            expected=tuple((one, expected[one]) for one in ids if one in expected),
        )
        # Each registry takes a call for its repositories.
        pages = len(ids) + max(1, ceil(images / self._settings.limits.page_size))
        return Unit(work, float(pages), parents.folder_id or "")


_Group = tuple[tuple[str, ...], Parents, bool, bool]


class NotedRegistries:
    """Notes which registries are to be listed (`discovery.RegistryListings`), and lists none."""

    def __init__(self, limits: Limits, crawl: Crawl, wanted: ScopeFilter) -> None:
        self.expected: Mapping[str, int] = crawl.expected_images
        self.groups: list[_Group] = []
        self.grouping = Grouping(
            self, self.expected, limits.page_size, joins=wanted.all_repositories
        )

    def open(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """Note a registry to be listed by itself."""
        self.groups.append(((registry_id,), parents, known, False))

    def open_together(self, folder_id: str, registry_ids: Sequence[str], parents: Parents) -> None:
        """Note registries to be listed together."""
        self.groups.append((tuple(sorted(registry_ids)), parents, True, True))

    def look(self, registry_id: str) -> None:
        """Note a registry that no list has named: its listing shows whether it exists."""
        self.open(registry_id, Parents(), known=False)

    def idle_task(self) -> None:
        """Return None: nothing is listed here."""
