"""How a run of `export` ended: the source of its exit code, summary and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.crawl.progress import Statistics
from exporter.snapshots.highlights import ScopeSizes
from exporter.snapshots.manifest import Manifest

Status = Literal["complete", "partial", "failed", "interrupted"]

STATUSES: tuple[Status, ...] = ("complete", "partial", "failed", "interrupted")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code, its figures, and its manifest if it published one.

    `registries` are those of what it published, the largest first, where that could be read.
    """

    status: Status
    exit_code: int
    statistics: Statistics
    manifest: Manifest | None = None
    error: str | None = None
    registries: tuple[ScopeSizes, ...] = ()
