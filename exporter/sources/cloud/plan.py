"""Looking ahead: what an export would list, and how many calls it takes at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.crawl.coverage import Coverage
from exporter.crawl.decoders import Decoders
from exporter.crawl.page_store import NullPageStore
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.settings import Settings
from exporter.sources.cloud.client import open_client
from exporter.sources.cloud.discovery import Discovery
from exporter.sources.cloud.folder_listing import fewest_calls
from exporter.sources.cloud.pages import Pages


@dataclass(frozen=True)
class Plan:
    """What an export would list: the ledger of its discovery, and the fewest calls it takes.

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


async def look_ahead(
    settings: Settings, expected_images: Mapping[str, int], progress: Progress
) -> Plan:
    """Discover clouds, folders and registries, and nothing below them.

    The fewest calls are those of the discovery, for each registry one for its repositories, and one
    for each page of the images that are expected. Raises `IncompleteError` where
    nothing could be listed, and `CredentialsError`.
    """
    coverage = Coverage(progress)
    with Decoders(1) as decoders:
        async with open_client(settings) as client:
            progress.client = client
            store = NullPageStore()
            pages = Pages(client, PagePipeline(client, store, progress, decoders))
            discovery = Discovery(
                settings, client, pages, store, coverage, progress, with_images=False
            )
            await discovery.run()
            calls = client.counts.calls
    discovery.refuse(partial=False)
    registries = discovery.registry_folders()
    calls += len(registries)
    calls += fewest_calls(registries, expected_images, settings.limits.page_size)
    named = {row["registry_id"]: row["name"] or "" for row in _registries(discovery)}
    names = {registry: named.get(registry, "") for registry in sorted(registries)}
    images = {one: expected_images[one] for one in names if one in expected_images}
    return Plan(coverage, names, images, calls)


def _registries(discovery: Discovery) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = discovery.tables()["registries"].to_pylist()
    return rows
