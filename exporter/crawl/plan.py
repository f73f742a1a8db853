"""Looking ahead: what an export would list, and how many calls it takes at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.api import Client
from exporter.crawl.decoders import Decoders
from exporter.crawl.estate import Estate
from exporter.crawl.fetch import Fetcher
from exporter.crawl.folder import fewest_calls
from exporter.crawl.keeper import Unkept
from exporter.crawl.ledger import Ledger
from exporter.crawl.progress import Progress
from exporter.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What an export would list: the ledger of its discovery, and the fewest calls it takes."""

    ledger: Ledger
    registries: int
    fewest_calls: int


async def look_ahead(
    settings: Settings, expected_images: Mapping[str, int], progress: Progress
) -> Plan:
    """Discover clouds, folders and registries, and nothing below them.

    The fewest calls are those of the discovery, for each registry one for its repositories, and one
    for each page of the images that are expected. Raises `IncompleteError` where
    nothing could be listed, and `CredentialsError`.
    """
    ledger = Ledger(progress)
    with Decoders(1) as decoders:
        async with Client(settings) as client:
            progress.client = client
            keeper = Unkept()
            fetcher = Fetcher(client, keeper, progress, decoders)
            estate = Estate(settings, client, fetcher, keeper, ledger, progress, with_images=False)
            await estate.run()
            calls = client.counts.calls
    ledger.refuse(partial=False)
    registries = estate.registry_folders()
    calls += len(registries)
    calls += fewest_calls(registries, expected_images, settings.limits.page_size)
    return Plan(ledger, len(registries), calls)
