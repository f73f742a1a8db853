"""An inventory: a scope listed into staging, and what follows from its rows, ready to publish."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import pyarrow as pa
import structlog

from exporter.clock import Clock
from exporter.crawl.coverage import Coverage
from exporter.crawl.decoders import Decoders
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.derive.conclude import conclude, total_row
from exporter.settings import Settings
from exporter.snapshots.hints import image_counts
from exporter.snapshots.manifest import Manifest, Requests, plain_row
from exporter.sources.cloud.client import open_client
from exporter.sources.cloud.discovery import Discovery
from exporter.sources.cloud.pages import Pages
from exporter.staging.layout import StagedFile
from exporter.staging.stage import Stage
from exporter.staging.workspace import Workspace
from exporter.storage.destination import Destination
from exporter.trust import fingerprint, scope_of, source_of

log = structlog.get_logger()

DECODERS = 2
"""Threads that decode pages."""
_FIRST_CALL_SECONDS = 0.01
"""Until the first call is surely on its way: an import beside it would hold it up."""


async def take_inventory(
    settings: Settings, destination: Destination, place: Workspace, progress: Progress
) -> tuple[Manifest, list[StagedFile]]:
    """List the scope into `place`, derive what follows, and say what the snapshot is made of.

    The manifest's `tables` are left to `publish`. `destination` tells how many images earlier
    snapshots had. Raises one of `exporter.errors`.
    """
    progress.phase = "listing"
    listed = await _list(settings, destination, place, progress)
    progress.phase = "deriving"
    return await asyncio.to_thread(_conclude, settings, place, listed, progress.clock)


@dataclass(frozen=True)
class CrawlResult:
    """What the crawl leaves beside the parts: the ledger, the small tables, and what it cost.

    `left_out` are the scopes, by kind and id, in which a filter left something out.
    """

    coverage: Coverage
    tables: dict[str, pa.Table]
    left_out: list[tuple[str, str]]
    requests: Requests


async def _list(
    settings: Settings, destination: Destination, place: Workspace, progress: Progress
) -> CrawlResult:
    coverage = Coverage(progress)
    expected = await asyncio.to_thread(image_counts, destination)
    with Decoders(DECODERS) as decoders:
        async with open_client(settings) as client, Stage(place.path) as stage:
            if not place.resumed:
                stage.set_meta(
                    snapshot_id=place.snapshot_id,
                    fingerprint=fingerprint(settings),
                    started_at=place.started_at.isoformat(),
                )
            elif stage.kept_before:
                log.info("export_resumed", pages=stage.kept_before)
            progress.client = client
            discovery = Discovery(
                settings,
                client,
                Pages(client, PagePipeline(client, stage, progress, decoders)),
                stage,
                coverage,
                progress,
                expected_images=expected,
            )
            with _importing_meanwhile("duckdb"):
                await discovery.run()
            discovery.refuse(partial=settings.output.on_partial == "fail")
            await stage.finish()
            counts = client.counts
    requests = Requests(
        calls=counts.calls + progress.calls_before,
        retries=counts.retries + progress.retries_before,
        throttled=counts.throttled + progress.throttled_before,
        bytes=counts.wire_bytes + progress.wire_bytes_before,
    )
    return CrawlResult(coverage, discovery.tables(), discovery.left_out(), requests)


@contextmanager
def _importing_meanwhile(module: str) -> Iterator[None]:
    """Import what the derivation takes long to import while the first calls are answered."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(
        _FIRST_CALL_SECONDS, lambda: loop.run_in_executor(None, import_module, module)
    )
    try:
        yield
    finally:
        timer.cancel()


def _conclude(
    settings: Settings, place: Workspace, listed: CrawlResult, clock: Clock
) -> tuple[Manifest, list[StagedFile]]:
    """Derive what follows from the staged rows, and say what the snapshot is made of."""

    def coverage(kept: Mapping[str, Mapping[str, int]]) -> pa.Table:
        listed.coverage.count_rows(kept)
        return listed.coverage.table()

    files = conclude(
        place.path, listed.tables, coverage, settings.output.formats, left_out=listed.left_out
    )
    manifest = Manifest(
        generator=f"registry-exporter/{version('registry-exporter')}",
        snapshot_id=place.snapshot_id,
        status="complete" if listed.coverage.complete else "partial",
        started_at=place.started_at,
        finished_at=clock.after(place.started_at),
        source=source_of(settings),
        scope=scope_of(settings),
        totals=plain_row(total_row(place.path)),
        coverage=listed.coverage.counts(),
        requests=listed.requests,
    )
    return manifest, files
