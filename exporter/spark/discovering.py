"""The driver's part of a run: what there is, who lists it, and what all of it came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.crawl.progress import Progress
from exporter.inventory import CrawlResult
from exporter.settings import Settings
from exporter.spark.partitions import PartitionResult, PartitionSpec, SettingsReference, Share


@dataclass(frozen=True)
class Discovered:
    """What the driver has found: the partitions, and what their tasks get.

    Every task gets `share` and `settings`. Without partitions there is nothing to list.
    """

    specs: Sequence[PartitionSpec]
    share: Share
    settings: SettingsReference

    def merged(self, results: Iterable[PartitionResult]) -> CrawlResult:
        """Return the whole crawl, given exactly one result for each partition.

        It is what one machine's crawl comes to: the coverage with the driver's listings and those
        of the tasks, the small tables (`clouds`, `folders`, `registries`; of OCI `registries` and
        `repositories`), what a filter left out, a refusal, and the sum of the requests. Rows are
        not counted yet (`Coverage.count_rows`). Call it once.
        """
        raise NotImplementedError


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
    raise NotImplementedError
