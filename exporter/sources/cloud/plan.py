"""Planning: the scopes that an export would list, and the fewest calls it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.crawl.coverage import Coverage
from exporter.sources.base import SourceResult
from exporter.sources.cloud.folder_listing import fewest_calls
from exporter.sources.cloud.source import CloudSource


@dataclass(frozen=True)
class Plan:
    """The plan of an export: the coverage of its discovery, and the fewest calls it takes.

    `names` are those of the registries by id, `images` how many the last complete snapshot
    counted in each that it knows.
    """

    coverage: Coverage
    names: Mapping[str, str]
    images: Mapping[str, int]
    fewest_calls: int

    @property
    def registries(self) -> int:
        """How many registries would be listed."""
        return len(self.names)


def plan_from(
    source: CloudSource,
    result: SourceResult,
    coverage: Coverage,
    *,
    calls: int,
    expected_images: Mapping[str, int],
    page_size: int,
) -> Plan:
    """Return the plan that follows from a crawl that stopped at the registries.

    The fewest calls are the `calls` of that crawl, for each registry one for its repositories, if
    the crawl has not listed them, and one for each page of the images that are expected.
    """
    asked = {
        registry: coverage.entry("repositories", registry)
        for registry in source.discovery.registry_folders()
    }
    folders = {
        registry: folder
        for registry, folder in source.discovery.registry_folders().items()
        if (entry := asked[registry]) is None or entry.whole
    }
    unlisted = sum(asked[registry] is None for registry in folders)
    rows = result.tables["registries"].to_pylist()
    named = {row["registry_id"]: row["name"] or "" for row in rows}
    names = {registry: named.get(registry, "") for registry in sorted(folders)}
    return Plan(
        coverage,
        names,
        images={one: expected_images[one] for one in names if one in expected_images},
        fewest_calls=calls + unlisted + fewest_calls(folders, expected_images, page_size),
    )
