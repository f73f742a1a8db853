"""The plan of an export: what it would list, and how many calls it takes at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.crawl.coverage import Coverage
from exporter.sources.base import Crawl, Source, SourceResult


@dataclass(frozen=True)
class Cost:
    """What an export takes beside calls: seconds of one processor, and bytes of Parquet files."""

    processor_seconds: float
    parquet_bytes: int


@dataclass(frozen=True)
class Plan:
    """The plan of an export: the coverage of its discovery, and the fewest calls it takes.

    `names` are those of the registries by id, `images` how many the last complete snapshot
    counted in each that it knows. `cost` is that of these images, None if it is not known.
    """

    coverage: Coverage
    names: Mapping[str, str]
    images: Mapping[str, int]
    fewest_calls: int
    cost: Cost | None = field(default=None, kw_only=True)

    @property
    def registries(self) -> int:
        """How many registries would be listed."""
        return len(self.names)


class Survey(Source, Protocol):
    """A source that lists no images, to plan an export."""

    async def plan(self, crawl: Crawl, result: SourceResult) -> Plan:
        """Return the plan that follows from a crawl; called once, before its client is closed."""
        ...
