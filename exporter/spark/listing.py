"""The listed tables of an export: each partition by a task, into a folder of the attempt's own.

The driver takes the files of one attempt for each partition, the one whose result Spark has brought
it. What other attempts have written is never named again, and removed.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pyspark import TaskContext

from exporter.errors import OutputError
from exporter.snapshots.manifest import Requests
from exporter.spark.discovering import Discovered
from exporter.spark.jobs import Jobs
from exporter.spark.partitions import (
    ListingFacts,
    PartitionResult,
    PartitionSpec,
    SettingsReference,
    Share,
)
from exporter.spark.reading import read_partition
from exporter.staging.layout import StagedFile
from exporter.staging.parquet import write_table
from exporter.tables.bad_values import BAD_VALUES
from exporter.tables.staged import STAGED


@dataclass(frozen=True)
class ListingTask:
    """What all tasks of a listing have in common; `attempts` is the folder of their attempts."""

    attempts: Path
    settings: SettingsReference
    share: Share

    def __call__(self, spec: PartitionSpec) -> PartitionResult:
        """List one partition; raises what `read_partition` raises."""
        check_reached(self.attempts)
        attempt = new_attempt()
        folder = self.attempts / spec.name / attempt
        return read_partition(spec, self.settings, self.share, folder, attempt=attempt)


def check_reached(folder: Path) -> None:
    """Refuse a folder of the driver that this machine does not have, with `OutputError`."""
    if not folder.is_dir():
        raise OutputError(
            f"{socket.gethostname()}, where an executor runs, does not see the staging folder "
            f"{folder}: name one in output.staging that the driver and every executor "
            "reach by the same path, and that the user of the executors may write to."
        )


def new_attempt() -> str:
    """Return a name for this attempt at a task that no other attempt has."""
    context = TaskContext.get()
    tries = f"{context.attemptNumber()}-" if context is not None else ""
    return f"attempt-{tries}{uuid4().hex}"


def list_partitions(
    jobs: Jobs, found: Discovered, attempts: Path, on_result: Callable[[PartitionResult], None]
) -> list[PartitionResult]:
    """List all partitions, and return one result for each, in their order.

    A partition whose task failed for good is listed as failed, and has no rows. Raises what ends
    the whole run.
    """
    attempts.mkdir(parents=True)
    task = ListingTask(attempts, found.settings, found.share)
    outcome = jobs.run(task, found.specs, on_result)
    for number, tries in outcome.failed.items():
        outcome.results[number] = failed(found.specs[number], tries)
    results = [outcome.results[number] for number in range(len(found.specs))]
    _remove_others(attempts, found.specs, results)
    return results


def failed(spec: PartitionSpec, tries: int) -> PartitionResult:
    """Return the result of a partition whose task failed each time."""
    times = "once" if tries == 1 else f"{tries} times"
    message = f"The Spark task that lists it failed {times}; the log of its executor says why."
    listings = tuple(
        ListingFacts(
            listing,
            parent_id,
            known,
            "failed",
            pages=0,
            items=0,
            calls=0,
            retries=0,
            started_at=None,
            finished_at=None,
            http_status=None,
            error_code=None,
            message=message,
            lost=(),
        )
        for work in spec.work
        for listing, parent_id, known in work.listings()
    )
    return PartitionResult(
        spec.number, None, (), listings, Requests(calls=0, retries=0, throttled=0, bytes=0)
    )


def _remove_others(
    attempts: Path, specs: Sequence[PartitionSpec], results: Sequence[PartitionResult]
) -> None:
    for spec, result in zip(specs, results, strict=True):
        folder = attempts / spec.name
        others = [] if not folder.is_dir() else [*folder.iterdir()]
        for other in others:
            if other.name != result.attempt:
                # An attempt that Spark ends just now may still write there.
                shutil.rmtree(other, ignore_errors=True)


def committed(
    found: Discovered, results: Sequence[PartitionResult], small: Path
) -> dict[str, list[StagedFile]]:
    """Return the parts of every table that is staged, those of the driver first.

    `small` is the folder for the driver's own parts of `bad_values`.
    """
    parts: dict[str, list[StagedFile]] = {name: [] for name in STAGED}
    parts[BAD_VALUES.name].append(write_table(small, BAD_VALUES, [found.bad_values]))
    for result in results:
        for file in result.files:
            parts[file.table].append(StagedFile(file.table, "parquet", Path(file.path), file.rows))
    return parts
