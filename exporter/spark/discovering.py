"""The driver's part of a run: what there is, who lists it, and what all of it came to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from exporter.crawl.coverage import Coverage
from exporter.crawl.decoders import Decoders
from exporter.crawl.page_store import NullPageStore
from exporter.crawl.progress import Progress
from exporter.http.client import Client
from exporter.inventory import (
    CrawlResult,
    make_crawl,
    refuse,
    requests_of,
    run_listings,
    run_source,
)
from exporter.settings import Settings
from exporter.snapshots.manifest import Requests
from exporter.sources.base import Crawl
from exporter.sources.parts import Driver
from exporter.spark.choosing import driver_of, finder_of
from exporter.spark.ledger import enter, facts_of
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

    @property
    def coverage(self) -> Coverage:
        """The ledger of the driver's own listings, before `merged`."""
        return self._crawl.coverage

    def merged(self, results: Iterable[PartitionResult]) -> CrawlResult:
        """Return the whole crawl, given exactly one result for each partition.

        It is what one machine's crawl comes to: the coverage with the driver's listings and those
        of the tasks, the small tables (`clouds`, `folders`, `registries`; of OCI `registries` and
        `repositories`), what a filter left out, a refusal (`inventory.refuse`), and the sum of the
        requests. Rows are not counted yet (`Coverage.count_rows`). Call it once.
        """
        every = sorted(results, key=lambda one: one.number)
        driver = self._driver
        told = [*facts_of(driver.listed(), driver.borrowed())]
        told += [facts for one in every for facts in one.listings]
        enter(self._crawl.coverage, self._crawl.progress, told)
        for one in every:
            if one.attempt is not None:
                driver.take(one.told)
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
    *,
    never_shared: Collection[str] = (),
    slots_unknown: bool = False,
) -> Discovered:
    """List clouds, folders and registries, or catalogs, and cut the scope into partitions.

    `expected` are the images per registry in the newest snapshot (`snapshots.hints.image_counts`).
    `slots` is how many tasks can run at once. `never_shared` are registries that one task lists,
    however long they are (`snapshots.hints.registries_with_more`). With `slots_unknown`, all tasks
    may run at once, whatever `slots` is. Nothing is staged. Raises one of
    `exporter.errors`, as the listing of one machine does.
    """
    source, store = driver_of(settings, never_shared), DriverStore()
    with Decoders(1) as decoders:
        async with source.open_client() as client:
            calls = settings.limits.concurrency
            crawl = make_crawl(source, client, store, decoders, progress, calls, expected)
            await run_listings(source, crawl)
            endpoints = await _endpoints(settings, client)
            requests = requests_of(client, progress)
    most = most_at_once(settings.limits, slots)
    each = pages_each(source.expected_pages, most)
    # More tasks than calls that may be under way must not run at once.
    specs = cut(source.units(each), each, most if most < slots else None)
    running = len(specs) if slots_unknown else min(most, len(specs))
    return Discovered(
        specs,
        share_of(settings.limits, max(1, running)),
        replace(reference, flags=_told(settings, reference.flags), endpoints=endpoints),
        store.bad_values,
        source,
        crawl,
        requests,
    )


async def small_tables(settings: Settings) -> tuple[Mapping[str, pa.Table], Coverage]:
    """List clouds, folders and registries alone, and return their rows and how it went.

    Raises one of `exporter.errors`.
    """
    source = finder_of(settings)
    progress = Progress(phase="listing")
    with Decoders(1) as decoders:
        async with source.open_client() as client:
            slots = settings.limits.concurrency
            crawl = make_crawl(source, client, NullPageStore(), decoders, progress, slots)
            result = await run_source(source, crawl)
    refuse(crawl.coverage, result, partial=False)
    return result.tables, crawl.coverage


_SHARED = ("source", "profile", "domain", "scope", "limits")
"""The settings that driver and tasks must have in common; none of them is a secret."""


def _told(settings: Settings, flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return flags that give a task the driver's settings, whatever its environment says."""
    own = settings.model_dump(include=set(_SHARED))
    return {**flags, **{name: value for name, value in own.items() if value is not None}}


async def _endpoints(settings: Settings, client: Client) -> Mapping[str, str]:
    """Return the base URLs that tasks need, by service; of OCI registries there are none."""
    if settings.source == "oci":
        return {}
    named = settings.endpoints
    services = ["container_registry", "resource_manager"]
    if named.container_registry is None or named.resource_manager is None:
        services.append("iam")  # Discovery has found it already.
    return {service: await client.base(service) for service in services}
