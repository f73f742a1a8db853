"""The data source: a listed table as a DataFrame, listed when it is read.

    spark.dataSource.register(RegistrySource)
    spark.read.format("registry_exporter").option("config", "cron.yaml").option("table", "images")

The driver finds what there is each time a query is planned; its partitions are listed by the
query's tasks. No snapshot is written, and none is needed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.progress import Progress
from exporter.derive.unique import keep_first
from exporter.errors import ExporterError, IncompleteError, SettingsError
from exporter.logs import keep_off_stdout
from exporter.output import open_output
from exporter.settings import Settings
from exporter.snapshots.hints import image_counts, registries_with_more
from exporter.spark.discovering import discover, small_tables
from exporter.spark.files import settings_of
from exporter.spark.partitions import (
    ListingFacts,
    PartitionResult,
    PartitionSpec,
    SettingsReference,
    Share,
)
from exporter.spark.reading import read_partition
from exporter.staging.layout import staged_parts
from exporter.tables.schemas import COMPLETE_STATUSES, TABLES

NAME = "registry_exporter"
"""The name of the format."""
BY_DRIVER = ("clouds", "folders", "registries")
"""Tables that one task lists alone: they are few rows, and take the calls of the driver."""
WITH_IMAGES = ("images", "layers", "config_blobs", "image_references")
LISTED = (*BY_DRIVER, "repositories", *WITH_IMAGES)
OPTIONS = ("config", "table", "parallelism", "partial")
SLOTS = 8
"""The tasks that may run at once, if the option `parallelism` does not say."""
_BATCH_ROWS = 8192
"""Rows of a batch: Spark holds some batches of each task."""


class RegistrySource(DataSource):
    """A listed table of the scope that a settings file names.

    Options: `config` is the settings file, on every machine or shipped by Spark; without it, the
    environment alone has the settings. `table` is a listed table. `parallelism` is how many tasks
    run at once, such as `sparkContext.defaultParallelism`: they share the settings' limits.
    `partial` is `refuse` or `allow`: whether a table may lack what could not be listed.
    """

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return NAME

    def schema(self) -> StructType:
        """Return the columns of the table; raises `SettingsError` for wrong options."""
        return from_arrow_schema(TABLES[Wanted.of(self.options).table].schema)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of the table."""
        return RegistryReader(Wanted.of(self.options))


@dataclass(frozen=True)
class Wanted:
    """What the options of a read say."""

    table: str
    reference: SettingsReference
    parallelism: int | None
    may_be_partial: bool

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Wanted:
        """Read the options; raises `SettingsError` with a sentence."""
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            raise SettingsError(f"The option {unknown[0]} is none of {', '.join(OPTIONS)}.")
        table = options.get("table", "")
        if table not in LISTED:
            raise SettingsError(
                f"The option table names {table or 'nothing'}: name one of {', '.join(LISTED)}."
            )
        parallelism = options.get("parallelism")
        if parallelism is not None and not (parallelism.isdecimal() and int(parallelism)):
            raise SettingsError(
                f"The option parallelism is {parallelism}: name the number of tasks that run at "
                "once."
            )
        partial = options.get("partial", "refuse")
        if partial not in ("refuse", "allow"):
            raise SettingsError(f"The option partial is {partial}: it is refuse or allow.")
        reference = SettingsReference(options.get("config"))
        slots = None if parallelism is None else int(parallelism)
        return cls(table, reference, slots, may_be_partial=partial == "allow")


@dataclass
class Alone(InputPartition):
    """A small table, which one task lists."""


@dataclass
class Listed(InputPartition):
    """A partition of the scope, with what its task needs."""

    spec: PartitionSpec
    reference: SettingsReference
    share: Share


class RegistryReader(DataSourceReader):
    """Reads one table, each partition in a task."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def partitions(self) -> Sequence[InputPartition]:
        """List what there is, and return the partitions; raises one of `exporter.errors`."""
        keep_off_stdout()
        settings = settings_of(self._wanted.reference)
        # The lists of OCI registries have no more of a repository than its name.
        by_driver = settings.source == "oci" and self._wanted.table == "repositories"
        if by_driver or self._wanted.table in BY_DRIVER:
            return [Alone()]
        expected, never_shared = _hints(settings)
        found = asyncio.run(
            discover(
                settings,
                self._wanted.reference,
                expected,
                self._wanted.parallelism or SLOTS,
                Progress(phase="listing"),
                never_shared=never_shared,
                slots_unknown=self._wanted.parallelism is None,
            )
        )
        self._check(found.coverage.entries())
        return [Listed(spec, found.settings, found.share) for spec in found.specs]

    def read(self, partition: InputPartition | None) -> Iterator[pa.RecordBatch]:
        """List a partition, and yield its rows; raises one of `exporter.errors`."""
        if isinstance(partition, Listed):
            yield from self._listed(partition)
        elif isinstance(partition, Alone):
            keep_off_stdout()
            tables, coverage = asyncio.run(small_tables(settings_of(self._wanted.reference)))
            self._check(coverage.entries())
            if self._wanted.table in tables:
                yield from tables[self._wanted.table].to_batches()

    def _listed(self, partition: Listed) -> Iterator[pa.RecordBatch]:
        table = self._wanted.table
        # What an image has in it is kept with the image.
        tables = {table, "images", "image_references"} if table in WITH_IMAGES else {table}
        folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=_local_folder()))
        try:
            result = read_partition(
                partition.spec,
                partition.reference,
                partition.share,
                folder,
                attempt="read",
                tables=tables,
            )
            self._check_result(result)
            keep_first(folder)
            for path in staged_parts(folder, table):
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                        yield batch.cast(TABLES[table].schema)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_result(self, result: PartitionResult) -> None:
        self._check([one for one in result.listings if one.status is not None])

    def _check(self, listings: Sequence[ListingStatus | ListingFacts]) -> None:
        """Refuse a table that would lack what could not be listed, without saying so."""
        missing = [one for one in listings if one.status not in COMPLETE_STATUSES]
        if missing and not self._wanted.may_be_partial:
            first = missing[0]
            raise IncompleteError(
                f"The table {self._wanted.table} would not be whole: the listing of "
                f"{first.listing} of {first.parent_id} is {first.status}: {first.message}; repair "
                'that, or read what there is with .option("partial", "allow").'
            )


def _hints(settings: Settings) -> tuple[dict[str, int], set[str]]:
    """Return what the newest snapshot lets expect, if there is one."""
    try:
        destination = open_output(settings)
    except ExporterError:
        return {}, set()
    return image_counts(destination), registries_with_more(destination)


def _local_folder() -> str | None:
    """Return a folder for files that a task needs only while it runs."""
    named = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    return named if named and Path(named).is_dir() else None
