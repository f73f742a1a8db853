"""A partition: a part of the scope that one Spark task lists, and what the task returns.

All of it is plain data that Spark may show, log and send: it holds names and numbers, and no
credentials. A task finds those itself, by the settings that it has a reference to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exporter.crawl.coverage import Status
from exporter.snapshots.manifest import Requests
from exporter.tables.listings import Listing


@dataclass(frozen=True)
class PartitionSpec:
    """One partition: `number` counts from 0, `work` is the source's own description of it.

    `expected_pages` is how much there may be to list. Two specs of one run never list the same
    repository.
    """

    number: int
    expected_pages: float
    work: Any

    @property
    def name(self) -> str:
        """Its name in paths and logs: `partition-00007`."""
        return f"partition-{self.number:05d}"


@dataclass(frozen=True)
class Share:
    """The part of `limits` that one task may use, while others use the rest.

    `requests_per_second` is None where the settings set no ceiling.
    """

    concurrency: int
    requests_per_second: float | None


@dataclass(frozen=True)
class SettingsReference:
    """Where a task finds the settings: no value of them that may be secret is in it.

    `file` is the settings file: a path that exists on the task's machine, or the name of a file
    that Spark ships (`SparkContext.addFile`). None: the environment alone. `flags` go over both,
    and are nested as in the file. `endpoints` are the base URLs that the driver has found, by
    service, so that tasks need no discovery.
    """

    file: str | None
    flags: Mapping[str, Any] = field(default_factory=dict)
    endpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartFile:
    """A finished Parquet part of an attempt: `path` is absolute, `rows` counts its rows.

    `table` is a listed table, or `bad_values` for what only the crawl saw (`tables/bad_values.py`).
    """

    table: str
    path: str
    rows: int


@dataclass(frozen=True)
class ListingFacts:
    """How one listing of a partition went: the fields of `crawl.coverage.ListingStatus`.

    `status` is None for a listing that belongs to the driver, or to several partitions, and of
    which this one only made some more calls.
    """

    listing: Listing
    parent_id: str
    known: bool
    status: Status | None
    pages: int
    items: int
    calls: int
    retries: int
    started_at: datetime | None
    finished_at: datetime | None
    http_status: int | None
    error_code: str | None
    message: str | None
    lost: tuple[str, ...]


@dataclass(frozen=True)
class PartitionResult:
    """What one attempt at a partition returns to the driver, which takes one for each partition.

    `number` is the spec's, `attempt` the name that the caller gave the attempt. Within `files`, no
    repository and no image comes twice; `changed` has a row, as `derive.duplicates.CHANGED_SCHEMA`
    names its columns, for each image that came with two contents. `told` is the source's own, for
    the driver's source.
    """

    number: int
    attempt: str
    files: tuple[PartFile, ...]
    listings: tuple[ListingFacts, ...]
    changed: tuple[Mapping[str, str | None], ...]
    requests: Requests
    told: Any = None
