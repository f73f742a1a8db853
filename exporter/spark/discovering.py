"""The driver's part of a run: what there is, who lists it, and what all of it came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from exporter.crawl.decoders import Decoders
from exporter.crawl.progress import Progress
from exporter.http.client import Client
from exporter.inventory import CrawlResult, make_crawl, requests_of, run_listings
from exporter.settings import Settings
from exporter.snapshots.manifest import Requests
from exporter.sources.base import Crawl
from exporter.sources.parts import Driver
from exporter.spark.choosing import driver_of
from exporter.spark.ledger import enter
from exporter.spark.partitions import (
    PartitionResult,
    PartitionSpec,
    SettingsReference,
    Share,
    cut,
    pages_each,
)
from exporter.spark.quota import most_at_once, share_of
from exporter.spark.storing import DriverStore


@dataclass(frozen=True)
class Discovered:
    """What the driver has found: the partitions, and what their tasks get.

    Every task gets `share` and `settings`. Without partitions there is nothing to list.
    `bad_values` are rows of the staged table of this name, of the driver's own pages.
    """

    specs: Sequence[PartitionSpec]
    share: Share
    settings: SettingsReference
    bad_values: pa.Table
    _driver: Driver
    _crawl: Crawl
    _requests: Requests

    def merged(self, results: Iterable[PartitionResult]) -> CrawlResult:
        """Return the whole crawl, given exactly one result for each partition.

        It is what one machine's crawl comes to: the coverage with the driver's listings and those
        of the tasks, the small tables (`clouds`, `folders`, `registries`; of OCI `registries` and
        `repositories`), what a filter left out, a refusal (`inventory.refuse`), and the sum of the
        requests. Rows are not counted yet (`Coverage.count_rows`). Call it once.
        """
        every = sorted(results, key=lambda one: one.number)
        told = [facts for one in every for facts in one.listings]
        enter(self._crawl.coverage, self._crawl.progress, told)
        for one in every:
            self._driver.take(one.told)
        requests = [self._requests, *(one.requests for one in every)]
        total = {
            name: sum(getattr(one, name) for one in requests) for name in Requests.model_fields
        }
        return CrawlResult(self._crawl.coverage, self._driver.result(), Requests(**total))


async def discover(
    settings: Settings,
    reference: SettingsReference,
    expected: Mapping[str, int],
    slots: int,
    progress: Progress,
) -> Discovered:
    """List clouds, folders and registries, or catalogs, and cut the scope into partitions.

    `expected` are the images per registry in the newest snapshot (`snapshots.hints.image_counts`).
    `slots` is how many tasks can run at once. Nothing is staged. Raises one of `exporter.errors`,
    as the listing of one machine does.
    """
    source, store = driver_of(settings), DriverStore()
    with Decoders(1) as decoders:
        async with source.open_client() as client:
            calls = settings.limits.concurrency
            crawl = make_crawl(source, client, store, decoders, progress, calls, expected)
            await run_listings(source, crawl)
            endpoints = await _endpoints(settings, client)
            requests = requests_of(client, progress)
    at_once = most_at_once(settings.limits, slots)
    each = pages_each(source.expected_pages, at_once)
    # More tasks than calls that may be under way must not run at once.
    most = at_once if at_once < slots else None
    specs = cut(source.units(each), each, most)
    return Discovered(
        specs,
        share_of(settings.limits, max(1, min(at_once, len(specs)))),
        replace(reference, endpoints=endpoints),
        store.bad_values,
        source,
        crawl,
        requests,
    )


async def _endpoints(settings: Settings, client: Client) -> Mapping[str, str]:
    """Return the base URLs that tasks need, by service; of OCI registries there are none."""
    if settings.source == "oci":
        return {}
    named = settings.endpoints
    services = ["container_registry", "resource_manager"]
    if named.container_registry is None or named.resource_manager is None:
        services.append("iam")  # Discovery has found it already.
    return {service: await client.base(service) for service in services}
