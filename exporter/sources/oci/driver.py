"""The driver of OCI registries in parts: it lists repositories, and others what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Task
from exporter.settings import Settings
from exporter.sources.base import Crawl
from exporter.sources.oci.proofs import FIRST
from exporter.sources.oci.registry import RegistryListing
from exporter.sources.oci.source import OciSource
from exporter.sources.oci.units import Missing, RepositoriesUnit
from exporter.sources.parts import Unit

CALLS_PER_REPOSITORY = 20.0
"""Calls that a repository is expected to take, as long as no snapshot tells it."""


class OciDriver(OciSource):
    """Lists the repositories of the registries in scope (`sources.parts.Driver`)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._night = 0
        self._waiting: dict[str, tuple[str, ...]] = {}

    def start(self, crawl: Crawl) -> None:
        """Begin to list the repositories of each registry."""
        super().start(crawl)
        self._night = self._cache.run if self._cache is not None else 0

    def idle_task(self) -> Task | None:
        """Return None: no repository is listed here."""
        return None

    @property
    def expected_pages(self) -> float:
        """How many calls all parts together may take, after the last task has ended."""
        return sum(self._calls_each(one) * len(self._paths(one)) for one in self._listings)

    def units(self, most_pages: float) -> Sequence[Unit]:
        """Return units of neighbouring repositories, of about so many calls each."""
        listings = sorted(self._listings, key=lambda one: one.registry_id)
        return [unit for one in listings for unit in self._units_of(one, most_pages)]

    def listed(self) -> Sequence[ListingStatus]:
        """Return nothing: the coverage has the lists of repositories."""
        return ()

    def borrowed(self) -> Sequence[ListingStatus]:
        """Return nothing."""
        return ()

    def take(self, told: Missing) -> None:
        """Take the repositories that a part has not found."""
        for listing in self._listings:
            listing.not_found.extend(told.get(listing.registry_id, ()))

    def _paths(self, listing: RegistryListing) -> tuple[str, ...]:
        if listing.registry_id not in self._waiting:
            self._waiting[listing.registry_id] = tuple(sorted(listing.waiting()))
        return self._waiting[listing.registry_id]

    def _calls_each(self, listing: RegistryListing) -> float:
        """Return how many calls a repository may take: one for each image, and some for lists."""
        images = 0 if self._crawl is None else self._crawl.expected_images.get(listing.registry_id)
        if not images:
            return CALLS_PER_REPOSITORY
        return images / max(1, len(self._paths(listing))) + 1.0

    def _units_of(self, listing: RegistryListing, most_pages: float) -> Iterator[Unit]:
        paths, calls = self._paths(listing), self._calls_each(listing)
        size = max(1, int(most_pages / calls))
        for begin in range(0, len(paths), size):
            own = paths[begin : begin + size]
            work = RepositoriesUnit(
                listing.registry_id,
                listing.is_harbor,
                own,
                self._night,
                ceil(FIRST * len(own) / len(paths)),
            )
            yield Unit(work, calls * len(own), listing.registry_id)
