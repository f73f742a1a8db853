"""An inventory that Spark takes: listed by tasks, derived in Spark SQL, published as any other.

`exporter.run` does all the rest: the lock, what is refused, publication and retention. Below the
staging folder of the run, `spark` holds what tasks write. The driver and every executor must reach
it by the same path.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from exporter.crawl.progress import Progress
from exporter.derive.conclude import total_row
from exporter.http.limiter import LimiterStatistics
from exporter.http.silence import OutageStatistics
from exporter.http.types import Counts
from exporter.inventory import CrawlResult, Inventory, manifest_of, refuse
from exporter.settings import Settings
from exporter.snapshots.hints import image_counts, registries_with_more
from exporter.snapshots.manifest import Manifest
from exporter.sources.base import Source
from exporter.spark.derive import derive, drop_duplicates
from exporter.spark.discovering import Discovered, discover
from exporter.spark.files import settings_of
from exporter.spark.jobs import Jobs, explained
from exporter.spark.listing import committed, list_partitions
from exporter.spark.partitions import PartitionResult, SettingsReference
from exporter.spark.sessions import begin, ship, task_slots
from exporter.spark.writing import write_again
from exporter.staging.layout import StagedFile
from exporter.staging.parquet import write_table
from exporter.staging.workspace import Workspace
from exporter.storage.destination import Destination
from exporter.tables.schemas import TABLES
from exporter.threads import Stop, in_thread

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = structlog.get_logger()

FOLDER = "spark"
"""The folder of a staging folder that tasks write to; nothing of it is ever resumed."""


@contextmanager
def inventory_of(
    config: Path | None,
    flags: Mapping[str, Any],
    master: str | None,
    spark_settings: Mapping[str, str],
) -> Iterator[tuple[Settings, Inventory]]:
    """Begin a session for the block, and return the settings and the inventory that it takes.

    `config` is the settings file, here or shipped by Spark, and `flags` go over it. The others are
    as for `sessions.begin`. Raises `SettingsError`, and `ExporterError` if Spark does not start.
    """
    session = begin(master, spark_settings)
    try:
        reference = ship(session, config, flags)
        yield settings_of(reference), inventory_by(session, reference)
    finally:
        session.stop()


def inventory_by(session: SparkSession, reference: SettingsReference) -> Inventory:
    """Return the inventory that the tasks of a session take (`exporter.run.export`).

    `reference` is how they find the settings that the driver has.
    """
    return Inventory(_Taking(session, reference), resumes=False)


class _Taking:
    """Takes inventories with one session."""

    def __init__(self, session: SparkSession, reference: SettingsReference) -> None:
        self._session = session
        self._reference = reference

    async def __call__(
        self,
        settings: Settings,
        source: Source,
        destination: Destination,
        place: Workspace,
        progress: Progress,
    ) -> tuple[Manifest, list[StagedFile]]:
        """List the scope and derive tables, as `exporter.inventory.take_inventory` does."""
        folder = (place.path / FOLDER).absolute()
        if place.resumed:
            log.info(
                "listed_anew",
                message=f"Snapshot {place.snapshot_id} was begun and is not finished: Spark lists "
                "everything again.",
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        jobs = Jobs(self._session.sparkContext, f"Snapshot {place.snapshot_id}")
        try:
            found = await self._discover(settings, destination, progress)
            work = partial(self._work, settings, source, place, folder, found, jobs, progress)
            return await in_thread(work)
        except BaseException:
            # A task that Spark ends just now may still write there.
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _discover(
        self, settings: Settings, destination: Destination, progress: Progress
    ) -> Discovered:
        progress.phase = "listing"
        expected = await in_thread(lambda _: image_counts(destination))
        never_shared = await in_thread(lambda _: registries_with_more(destination))
        context = self._session.sparkContext
        slots = task_slots(context)
        if slots is None:
            log.warning(
                "slots_unknown",
                message="Spark's settings do not say how many tasks run at once, so each of them "
                "gets the share of the limits that it would have if all ran: set spark.cores.max, "
                "or spark.executor.instances and spark.executor.cores.",
            )
        found = await discover(
            settings,
            self._reference,
            expected,
            slots or context.defaultParallelism,
            progress,
            never_shared=never_shared,
            slots_unknown=slots is None,
        )
        progress.discovered = False  # Of those of the tasks, the driver hears at their end.
        log.info(
            "partitions_made",
            partitions=len(found.specs),
            slots=slots,
            requests_per_second_each=found.share.requests_per_second,
            concurrency_each=found.share.concurrency,
        )
        return found

    def _work(
        self,
        settings: Settings,
        source: Source,
        place: Workspace,
        folder: Path,
        found: Discovered,
        jobs: Jobs,
        progress: Progress,
        stop: Stop,
    ) -> tuple[Manifest, list[StagedFile]]:
        with stop.interrupting(jobs.cancel), explained(stop):
            jobs.begin()
            watch = Watched(progress)
            results = list_partitions(jobs, found, folder / "listed", watch.add)
            listed = found.merged(results)
            refuse(listed.coverage, listed.source, partial=settings.output.on_partial == "fail")
            stop.check()
            progress.phase = "deriving"
            parts = self._derived(listed, committed(found, results, folder / "driver"), folder)
            files = [file for name in TABLES for file in parts[name]]
            totals = total_row([file.path for file in parts["size_totals"]])
            stop.check()
            written = _in_formats(jobs, files, settings.output.formats, folder / "ndjson")
        # The path of the output may be relative, and the driver alone knows to what.
        below = place.path / FOLDER
        staged = [replace(one, path=below / one.path.relative_to(folder)) for one in written]
        return manifest_of(source, place, listed, totals, progress.clock), staged

    def _derived(
        self, listed: CrawlResult, parts: dict[str, list[StagedFile]], folder: Path
    ) -> Mapping[str, list[StagedFile]]:
        """Write the tables that are not listed by tasks, and return the parts of all tables."""
        small = folder / "driver"
        for name, table in TABLES.items():
            rows = listed.source.tables.get(name)
            if rows is not None or (table.kind == "listed" and not parts[name]):
                parts[name] = [write_table(small, table, [] if rows is None else [rows])]
        unique = drop_duplicates(self._session, parts, folder / "unique")
        listed.coverage.count_rows(unique.rows)
        coverage = write_table(small, TABLES["coverage"], [listed.coverage.table()])
        left_out = listed.source.left_out
        derived = derive(self._session, unique, [coverage], folder / "derived", left_out=left_out)
        tables = {name: list(files) for name, files in derived.items()}
        for name, table in TABLES.items():
            if not tables.get(name):
                tables[name] = [write_table(small, table, [])]
        return tables


def _in_formats(
    jobs: Jobs, files: list[StagedFile], formats: Collection[str], folder: Path
) -> list[StagedFile]:
    """Return the files in all formats that are asked for."""
    again = write_again(jobs, files, _made(folder)) if "ndjson" in formats else []
    return [*(files if "parquet" in formats else ()), *again]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Watched:
    """The figures of a run, with those of the tasks that have ended."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._client = progress.client
        self._told = Counts()
        self.limiters: tuple[LimiterStatistics, ...] = ()
        self.outages: tuple[OutageStatistics, ...] = ()
        progress.client = self

    @property
    def counts(self) -> Counts:
        """The requests and bytes of the driver and of the tasks that have ended."""
        return self._client.counts + self._told

    def add(self, result: PartitionResult) -> None:
        """Count what a task has done."""
        requests = result.requests
        self._told += Counts(requests.calls, requests.retries, requests.throttled, requests.bytes)
        self._progress.pages += sum(one.pages for one in result.listings)
        for file in result.files:
            if file.table == "images":
                self._progress.images += file.rows
            elif file.table == "layers":
                self._progress.layers += file.rows
