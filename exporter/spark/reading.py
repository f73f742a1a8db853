"""One partition's crawl, in a task's own process and event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from exporter.crawl.decoders import Decoders
from exporter.crawl.progress import Progress
from exporter.inventory import make_crawl, requests_of, run_listings
from exporter.logs import keep_off_stdout
from exporter.settings import Settings
from exporter.sources.parts import Part
from exporter.spark.choosing import part_of
from exporter.spark.files import settings_of
from exporter.spark.ledger import facts_of
from exporter.spark.partitions import (
    PartFile,
    PartitionResult,
    PartitionSpec,
    SettingsReference,
    Share,
)
from exporter.spark.quota import first_call_after, limited
from exporter.spark.storing import PartStore

DECODERS = 1
"""Threads that decode a task's pages: a task has one core."""


def read_partition(
    spec: PartitionSpec,
    settings: SettingsReference,
    share: Share,
    folder: Path,
    *,
    attempt: str,
    tables: Collection[str] | None = None,
) -> PartitionResult:
    """List one partition into `folder`, which is this attempt's own, and return what it did.

    The parts are `folder`/parquet/<table>/part-00000.parquet and so on, closed and durable when
    this returns; a table without rows has none. With `tables`, only those are written, and without
    `images` among them none are listed. The folder
    is made if need be, and nothing else is in it. On an error the parts that there are have no
    meaning. A task keeps to its share of the limits, and memory is bounded whatever the partition
    holds.

    A listing that fails for good does not raise: `listings` says how it went. Raises what ends the
    whole run: `OutageError`, `CredentialsError`, `SettingsError` and `OutputError`.
    """
    keep_off_stdout()
    own = limited(settings_of(settings), share)
    with_images = tables is None or "images" in tables
    source = part_of(own, spec.work, with_images=with_images)
    return asyncio.run(_read(spec, own, source, share, folder, attempt, tables))


async def _read(
    spec: PartitionSpec,
    settings: Settings,
    source: Part,
    share: Share,
    folder: Path,
    attempt: str,
    tables: Collection[str] | None,
) -> PartitionResult:
    progress = Progress(phase="listing")
    await asyncio.sleep(first_call_after(share))
    with Decoders(DECODERS) as decoders:
        async with source.open_client() as client, PartStore(folder, tables) as store:
            slots = settings.limits.concurrency
            expected = source.expected_images
            crawl = make_crawl(source, client, store, decoders, progress, slots, expected)
            await run_listings(source, crawl)
            source.result()
            parts = await store.finish()
            return PartitionResult(
                spec.number,
                attempt,
                tuple(PartFile(one.table, str(one.path), one.rows) for one in parts),
                facts_of([*crawl.coverage.entries(), *source.listed()], source.borrowed()),
                requests_of(client, progress),
                source.told(),
            )
