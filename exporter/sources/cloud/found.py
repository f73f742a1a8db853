"""The clouds, folders and registries that a run has found, in memory.

They are few, and discovery needs them to ask for what is below them. Repositories and images are
many: they go to the parts page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from exporter.crawl.coverage import Coverage, ListingStatus
from exporter.sources.cloud.decode.resources import Resource, rows_to_arrow
from exporter.sources.cloud.levels import BELOW, LEVELS
from exporter.sources.cloud.scope import ScopeFilter
from exporter.tables.listed import CLOUDS, FOLDERS, REGISTRIES
from exporter.tables.listings import Listing

_Rows = dict[Listing, dict[str, Mapping[str, Any]]]
"""Rows by level and id."""


class FoundResources:
    """The rows of clouds, folders and registries in scope, by id."""

    def __init__(self, wanted: ScopeFilter) -> None:
        self._named = wanted.named
        self._rows: _Rows = {level: {} for level in LEVELS}
        self._met: dict[ListingStatus, list[str]] = {}
        self._met_first: dict[tuple[Listing, str], ListingStatus] = {}

    def meet(self, entry: ListingStatus, resource: Resource) -> None:
        """Remember which listing named a resource, in scope or not."""
        self._met.setdefault(entry, []).append(resource.id)
        self._met_first.setdefault((entry.listing, resource.id), entry)

    def named_in(self, level: Listing, id_: str) -> ListingStatus | None:
        """Return the entry of the listing that named a resource first, if any has."""
        return self._met_first.get((level, id_))

    def met_in(self, entry: ListingStatus) -> list[str]:
        """Return the ids of the resources that a listing named."""
        return list(self._met.get(entry, []))

    def note(self, listing: Listing, resource: Resource) -> bool:
        """Remember a resource's row; False if it was met before, on another parent's page."""
        rows = self._rows[listing]
        if resource.id in rows:
            return False
        rows[resource.id] = resource.row
        return True

    def missing(self, listing: Listing) -> list[str]:
        """Return the ids of a level that the user named and no list has shown."""
        return sorted(self._named[listing] - self._rows[listing].keys())

    def is_a_look_up(self, listing: Listing) -> bool:
        """Return whether the user named something on a listing's level, or below it."""
        return any(self._named[level] for level in LEVELS[LEVELS.index(listing) :])

    def registry_folders(self) -> dict[str, str | None]:
        """Return the registries in scope, each with its folder; None for those only named."""
        met = {key: row["folder_id"] for key, row in self._rows["registries"].items()}
        return met | dict.fromkeys(self.missing("registries"))

    def tables(self, coverage: Coverage) -> dict[str, pa.Table]:
        """Return the rows of `clouds`, `folders` and `registries` that are in scope."""
        kept = self._kept(coverage)
        return {
            table.name: rows_to_arrow(list(kept[level].values()), table)
            for level, table in zip(LEVELS, (CLOUDS, FOLDERS, REGISTRIES), strict=True)
        }

    def count_rows(self, coverage: Coverage) -> None:
        """Give the coverage the number of rows of each listing.

        A row counts for the listing that named it first.
        """
        kept = self._kept(coverage)
        rows: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
        for (level, one), entry in self._met_first.items():
            rows[level][entry.parent_id] += one in kept[level]
        coverage.count_rows(rows)

    def left_out(self, coverage: Coverage) -> list[tuple[str, str]]:
        """Return the scopes, by kind and id, in which a filter left something out.

        No table can tell this, because an excluded resource has no row.
        """
        kept = self._kept(coverage)
        lacking: dict[str, str] = {}
        # Folders first: a registry that is left out is missing in the cloud, too.
        for listing, scope in (("registries", "folder"), ("folders", "cloud")):
            for entry, ids in self._met.items():
                if entry.listing == listing and any(
                    one in lacking or self._is_missing(coverage, kept, entry.listing, one)
                    for one in ids
                ):
                    lacking[entry.parent_id] = scope
        return [(scope, one) for one, scope in lacking.items()]

    def _is_missing(self, coverage: Coverage, kept: _Rows, level: Listing, id_: str) -> bool:
        """Return whether a filter left out a resource, or everything in it."""
        below = [coverage.entry(child, id_) for child in BELOW[level]]
        listed = all(entry is not None and entry.status == "complete" for entry in below)
        return id_ not in kept[level] and not listed

    def _kept(self, coverage: Coverage) -> _Rows:
        """Return the rows that are in scope."""
        clouds = self._rows["clouds"] | self._met_directly(coverage, "clouds", "cloud_id")
        folders = self._rows["folders"] | self._met_directly(coverage, "folders", "folder_id")
        registries = self._rows["registries"] | self._met_directly(
            coverage, "registries", "registry_id"
        )
        if self._named["registries"]:
            used = {row.get("folder_id") for row in registries.values()}
            folders = {key: row for key, row in folders.items() if key in used}
        if self._named["registries"] or self._named["folders"]:
            used = {row.get("cloud_id") for row in folders.values()}
            clouds = {key: row for key, row in clouds.items() if key in used}
        return {"clouds": clouds, "folders": folders, "registries": registries}

    def _met_directly(
        self, coverage: Coverage, listing: Listing, key: str
    ) -> dict[str, Mapping[str, Any]]:
        """Return rows of named ids that no list has shown, but that could be listed.

        Such a row has only its id.
        """
        rows: dict[str, Mapping[str, Any]] = {}
        for missing in self.missing(listing):
            entries = [coverage.entry(child, missing) for child in BELOW[listing]]
            if any(entry is not None and entry.pages for entry in entries):
                rows[missing] = {key: missing}
        return rows
