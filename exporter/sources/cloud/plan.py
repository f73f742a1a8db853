"""Planning in a cloud: its registries, and the fewest calls that their listings take."""

from __future__ import annotations

from exporter.settings import Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.cloud.folder_listing import fewest_calls
from exporter.sources.cloud.source import CloudSource
from exporter.sources.plan import Cost, Plan

_PROCESSOR_SECONDS = 40e-6
_PARQUET_BYTES = 420
"""Of one image with ten layers, by an export of a million (`scripts/bench`)."""


class CloudSurvey(CloudSource):
    """Finds clouds, folders and registries, and nothing below them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, with_images=False)
        self._page_size = settings.limits.page_size

    async def plan(self, crawl: Crawl, result: SourceResult) -> Plan:
        """Return the plan; see `sources.plan.Survey`.

        The fewest calls are those of the crawl, for each registry one for its repositories, if the
        crawl has not listed them, and one for each page of the images that are expected.
        """
        coverage, expected = crawl.coverage, crawl.expected_images
        asked = {
            registry: coverage.entry("repositories", registry)
            for registry in self.discovery.registry_folders()
        }
        folders = {
            registry: folder
            for registry, folder in self.discovery.registry_folders().items()
            if (entry := asked[registry]) is None or entry.whole
        }
        unlisted = sum(asked[registry] is None for registry in folders)
        rows = result.tables["registries"].to_pylist()
        named = {row["registry_id"]: row["name"] or "" for row in rows}
        names = {registry: named.get(registry, "") for registry in sorted(folders)}
        images = {one: expected[one] for one in names if one in expected}
        count = sum(images.values())
        least = crawl.client.counts.calls + unlisted
        return Plan(
            coverage,
            names,
            images=images,
            fewest_calls=least + fewest_calls(folders, expected, self._page_size),
            cost=Cost(count * _PROCESSOR_SECONDS, count * _PARQUET_BYTES) if count else None,
        )
