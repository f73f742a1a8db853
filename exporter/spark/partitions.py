"""A partition: a part of the scope that one Spark task lists, and what the task returns.

All of it is plain data that Spark may show, log and send: it holds names and numbers, and no
credentials. A task finds those itself, by the settings that it has a reference to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exporter.crawl.coverage import Status
from exporter.snapshots.manifest import Requests
from exporter.sources.parts import Unit
from exporter.tables.listings import Listing


@dataclass(frozen=True)
class PartitionSpec:
    """One partition: `number` counts from 0, `work` are the source's own descriptions of its units.

    `expected_pages` is how much there may be to list. Two specs of one run never list the same
    repository.
    """

    number: int
    expected_pages: float
    work: tuple[Any, ...]

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

    `number` is the spec's, `attempt` the name that the caller gave the attempt. In `files`, parts
    of one table are in the order in which they were written; pages may overlap, so a repository or
    an image may come twice. `told` is the source's own, for the driver's source. The caller makes
    the result of a partition at which all attempts failed: it has no `attempt`, files and `told`.
    """

    number: int
    attempt: str | None
    files: tuple[PartFile, ...]
    listings: tuple[ListingFacts, ...]
    requests: Requests
    told: Any = None


LEAST_PAGES = 16.0
"""A partition has so many pages at least, if there are others to go with it: to start a task takes
as long as some calls."""
MOST_PAGES = 1000.0
"""A partition has about so many pages at most: a task that is lost begins anew."""
PER_SLOT = 4
"""Partitions for each slot, as far as pages allow it, so that all slots end at about the same
time."""


def pages_each(pages: float, slots: int) -> float:
    """Return how many pages a partition should have, of so many in all."""
    return min(max(pages / (slots * PER_SLOT), LEAST_PAGES), MOST_PAGES)


def cut(units: Sequence[Unit], pages: float, most: int | None = None) -> list[PartitionSpec]:
    """Return partitions of about so many pages each, at most `most` of them.

    Units of one group that are smaller go together, in their order; then those of different groups.
    The longest partitions come first, because they decide how long the job takes.
    """
    filled: list[list[Unit]] = []
    left = 0.0
    for unit in sorted(units, key=lambda one: one.group):
        if not filled or unit.pages > left:
            filled.append([])
            left = pages
        filled[-1].append(unit)
        left -= unit.pages
    filled.sort(key=_pages, reverse=True)
    if most is not None:
        filled = _even(filled, most)
    return [
        PartitionSpec(number, _pages(units), tuple(unit.work for unit in units))
        for number, units in enumerate(filled)
    ]


def _pages(units: Sequence[Unit]) -> float:
    return sum(unit.pages for unit in units)


def _even(filled: Sequence[list[Unit]], most: int) -> list[list[Unit]]:
    """Return at most so many partitions of about the same size; the largest come first."""
    if len(filled) <= most:
        return list(filled)
    even: list[list[Unit]] = [[] for _ in range(most)]
    for units in filled:
        min(even, key=_pages).extend(units)
    return sorted(even, key=_pages, reverse=True)
