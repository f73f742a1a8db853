"""A part of OCI registries: repositories that the driver has found, listed with the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.crawl.coverage import ListingStatus
from exporter.settings import Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.oci.cache import Cache, open_cache
from exporter.sources.oci.source import OciAdvice, OciSource
from exporter.sources.oci.units import Missing, RepositoriesUnit


class OciPart(OciSource):
    """Lists the repositories of its units (`sources.parts.Part`)."""

    def __init__(self, settings: Settings, units: Sequence[RepositoriesUnit]) -> None:
        super().__init__(settings)
        self._units = units

    @property
    def expected_images(self) -> Mapping[str, int]:
        """Nothing: no order of work depends on it."""
        return {}

    def start(self, crawl: Crawl) -> None:
        """Begin to list the repositories, those of each registry together."""
        self._crawl = crawl
        crawl.coverage.advice = OciAdvice()
        crawl.progress.discovered = True
        self._cache = self.open_cache()
        settings = {one.host: one for one in self._settings.oci.registries}
        hosts = {unit.host: unit.is_harbor for unit in self._units}
        self._expected = len(hosts)
        for host, is_harbor in hosts.items():
            own = [unit for unit in self._units if unit.host == host]
            listing = self.add_listing(
                settings[host],
                crawl,
                self._cache,
                is_harbor=is_harbor,
                first_proofs=sum(unit.first_proofs for unit in own),
            )
            listing.list_given([path for unit in own for path in unit.paths])

    def open_cache(self) -> Cache:
        """Open the cache that the settings name, for a part of the driver's run."""
        night = max(unit.night for unit in self._units)
        return open_cache(self._settings.oci.cache, run=night)

    def result(self) -> SourceResult:
        """Return no tables: the driver has them."""
        return SourceResult({})

    def told(self) -> Missing:
        """Return the repositories that are named and not there, by host."""
        return {one.registry_id: tuple(one.not_found) for one in self._listings}

    def listed(self) -> Sequence[ListingStatus]:
        """Return nothing: the coverage has all of them."""
        return ()

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return the lists of repositories: they are the driver's."""
        return [one.list_entry for one in self._listings]
