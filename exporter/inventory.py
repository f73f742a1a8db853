"""An inventory: a source lists its scope into staging, and the derived tables are made.

Only this module makes the engine of a run: scheduler, pipeline and coverage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import structlog

from exporter.clock import Clock
from exporter.crawl.coverage import Coverage
from exporter.crawl.decoders import Decoders
from exporter.crawl.page_store import NullPageStore, PageStore
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.crawl.scheduler import Scheduler
from exporter.derive.conclude import conclude, total_row
from exporter.http.client import Client
from exporter.settings import Settings
from exporter.snapshots.hints import image_counts
from exporter.snapshots.manifest import Manifest, Requests, plain_row
from exporter.sources.base import Crawl, Source, SourceResult
from exporter.sources.plan import Plan, Survey
from exporter.staging.layout import StagedFile, staged_parts
from exporter.staging.stage import Stage
from exporter.staging.workspace import Workspace
from exporter.storage.destination import Destination
from exporter.threads import Stop, in_thread

log = structlog.get_logger()

DECODERS = 2
"""Threads that decode pages."""
_FIRST_CALL_SECONDS = 0.01
"""By then the first call is under way; an import would delay it."""


@dataclass(frozen=True)
class CrawlResult:
    """The result of a crawl, beside the parts: coverage, the source's own result, and requests."""

    coverage: Coverage
    source: SourceResult
    requests: Requests


async def take_inventory(
    settings: Settings,
    source: Source,
    destination: Destination,
    place: Workspace,
    progress: Progress,
) -> tuple[Manifest, list[StagedFile]]:
    """List the scope into `place`, derive tables, and return the manifest and the files.

    `publish` fills in the manifest's `tables`. `destination` has the image counts of the newest
    complete snapshot. Raises one of `exporter.errors`.
    """
    progress.phase = "listing"
    listed = await _list(settings, source, destination, place, progress)
    progress.phase = "deriving"
    return await in_thread(partial(_conclude, settings, source, place, listed, progress.clock))


Take = Callable[
    [Settings, Source, Destination, Workspace, Progress],
    Awaitable[tuple[Manifest, list[StagedFile]]],
]
"""Lists a scope into a workspace, and derives tables, as `take_inventory` does."""


@dataclass(frozen=True)
class Inventory:
    """A way to take an inventory; `resumes` says whether a later run goes on where one failed."""

    take: Take
    resumes: bool


IN_PROCESS = Inventory(take_inventory, resumes=True)
"""The inventory that this process takes by itself."""


async def look_ahead(
    settings: Settings,
    source: Survey,
    expected_images: Mapping[str, int],
    progress: Progress,
) -> Plan:
    """Let a source look for what an export would list, and plan it; nothing is written.

    Raises `IncompleteError` if nothing could be listed, and `CredentialsError`.
    """
    with Decoders(1) as decoders:
        async with source.open_client() as client:
            slots = settings.limits.concurrency
            crawl = make_crawl(
                source, client, NullPageStore(), decoders, progress, slots, expected_images
            )
            result = await run_source(source, crawl)
            refuse(crawl.coverage, result, partial=False)
            return await source.plan(crawl, result)


def make_crawl(
    source: Source,
    client: Client,
    store: PageStore,
    decoders: Decoders,
    progress: Progress,
    slots: int,
    expected_images: Mapping[str, int] | None = None,
) -> Crawl:
    """Make the engine that a source lists with: it has so many `slots`, and `store` for pages."""
    progress.client = client
    return Crawl(
        client=client,
        scheduler=Scheduler(slots, source.idle_task),
        pipeline=PagePipeline(client, store, progress, decoders),
        store=store,
        coverage=Coverage(progress),
        progress=progress,
        expected_images=expected_images or {},
    )


async def run_source(source: Source, crawl: Crawl) -> SourceResult:
    """Let a source list everything, and return its result.

    Raises `CredentialsError`, `OutageError` and `OutputError`. The coverage says how each listing
    ended.
    """
    await run_listings(source, crawl)
    return source.result()


async def run_listings(source: Source, crawl: Crawl) -> None:
    """Let a source list everything; raises as `run_source` does."""
    source.start(crawl)
    try:
        await crawl.scheduler.run()
    except BaseExceptionGroup as group:
        # A task group raises a group; the caller wants the first thing that went wrong.
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def refuse(coverage: Coverage, result: SourceResult, *, partial: bool) -> None:
    """Refuse a result of which nothing could be listed, or with `partial`, not everything.

    Raises the source's own refusal, or `IncompleteError`.
    """
    if result.refusal is not None:
        raise result.refusal
    coverage.refuse(partial=partial)


async def _list(
    settings: Settings,
    source: Source,
    destination: Destination,
    place: Workspace,
    progress: Progress,
) -> CrawlResult:
    expected = await asyncio.to_thread(image_counts, destination)
    with Decoders(DECODERS) as decoders:
        async with source.open_client() as client, Stage(place.path) as stage:
            if stage.kept_before:
                log.info("export_resumed", pages=stage.kept_before)
            slots = settings.limits.concurrency
            crawl = make_crawl(source, client, stage, decoders, progress, slots, expected)
            with _importing_meanwhile("duckdb"):
                result = await run_source(source, crawl)
            refuse(crawl.coverage, result, partial=settings.output.on_partial == "fail")
            await stage.finish()
            requests = requests_of(client, progress)
    return CrawlResult(crawl.coverage, result, requests)


def requests_of(client: Client, progress: Progress) -> Requests:
    """Return the requests of a run, with those that earlier attempts at it sent."""
    counts = client.counts
    return Requests(
        calls=counts.calls + progress.calls_before,
        retries=counts.retries + progress.retries_before,
        throttled=counts.throttled + progress.throttled_before,
        bytes=counts.wire_bytes + progress.wire_bytes_before,
    )


@contextmanager
def _importing_meanwhile(module: str) -> Iterator[None]:
    """Import a slow module of the derivation while the first calls are under way."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(
        _FIRST_CALL_SECONDS, lambda: loop.run_in_executor(None, import_module, module)
    )
    try:
        yield
    finally:
        timer.cancel()


def _conclude(
    settings: Settings,
    source: Source,
    place: Workspace,
    listed: CrawlResult,
    clock: Clock,
    stop: Stop,
) -> tuple[Manifest, list[StagedFile]]:
    """Derive tables from the staged rows, and return the manifest and the files."""

    def coverage(kept: Mapping[str, Mapping[str, int]]) -> pa.Table:
        listed.coverage.count_rows(kept)
        return listed.coverage.table()

    files = conclude(
        place.path,
        listed.source.tables,
        coverage,
        settings.output.formats,
        left_out=listed.source.left_out,
        stop=stop,
    )
    totals = total_row(staged_parts(place.path, "size_totals"))
    return manifest_of(source, place, listed, totals, clock), files


def manifest_of(
    source: Source, place: Workspace, listed: CrawlResult, totals: Mapping[str, Any], clock: Clock
) -> Manifest:
    """Return the manifest of a derived result, without its `tables`; `totals` is its `total` row.

    The coverage knows the rows of each listing (`Coverage.count_rows`).
    """
    return Manifest(
        generator=f"registry-exporter/{version('registry-exporter')}",
        snapshot_id=place.snapshot_id,
        status="complete" if listed.coverage.complete else "partial",
        started_at=place.started_at,
        finished_at=clock.after(place.started_at),
        source=dict(source.identity()),
        scope=dict(source.scope()),
        totals=plain_row(totals),
        coverage=listed.coverage.counts(),
        requests=listed.requests,
    )
