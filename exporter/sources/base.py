"""The interface of a source: it knows one kind of API, and lists images with the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from exporter.crawl.coverage import Coverage
from exporter.crawl.page_store import PageStore
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.crawl.scheduler import Scheduler
from exporter.crawl.task import Task
from exporter.errors import ExporterError
from exporter.http.client import Client


@dataclass(frozen=True)
class Crawl:
    """The engine of one run, for its source.

    The source gives its tasks to `scheduler`, gets its pages through `pipeline`, and enters each
    listing in `coverage`. There it may set `advice` in its own words, and `on_not_found`, which
    finds out whether a resource that is not found is gone. `client` is the one that
    `Source.open_client` returned, now open. `store` keeps the notes that a resumed run needs.
    `expected_images` are the images per registry in an earlier snapshot: a hint about which take
    longest.
    """

    client: Client
    scheduler: Scheduler
    pipeline: PagePipeline
    store: PageStore
    coverage: Coverage
    progress: Progress
    expected_images: Mapping[str, int]


@dataclass(frozen=True)
class SourceResult:
    """The result of a source, beside the rows that the pipeline wrote.

    `tables` are its small tables in memory, by name. `left_out` are the scopes, by kind and id as
    in `size_totals`, that a filter of the user left something out of. `refusal` is the reason not
    to publish the result at all, or None.
    """

    tables: Mapping[str, pa.Table]
    left_out: Sequence[tuple[str, str]] = ()
    refusal: ExporterError | None = None


class Source(Protocol):
    """One kind of API that images are listed from, as the settings describe it."""

    @property
    def kind(self) -> str:
        """The source's kind in a word: `cloud`."""
        ...

    def identity(self) -> Mapping[str, object]:
        """Return the manifest's `source`, which is also part of a run's fingerprint."""
        ...

    def scope(self) -> Mapping[str, object]:
        """Return the manifest's `scope`, which is also part of a run's fingerprint."""
        ...

    def open_client(self) -> Client:
        """Return a client of the API; it sends nothing until it is entered."""
        ...

    def start(self, crawl: Crawl) -> None:
        """Submit the first tasks; each may submit more."""
        ...

    def idle_task(self) -> Task | None:
        """Return a task for a slot that would otherwise be idle, or None."""
        ...

    def result(self) -> SourceResult:
        """Return the result; called once, after the last task has ended.

        By then the coverage has an entry for every name in `scope` that was not found.
        """
        ...
