"""How an export or a load ended: the source of its exit code, summary and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporter.crawl.progress import Statistics
    from exporter.load.progress import Loaded
    from exporter.snapshots.highlights import ScopeSizes
    from exporter.snapshots.manifest import Manifest

Status = Literal["complete", "partial", "failed", "interrupted"]

STATUSES: tuple[Status, ...] = ("complete", "partial", "failed", "interrupted")


@dataclass(frozen=True)
class LoadOutcome:
    """How a load ended: its exit code, and what it loaded and removed all the same.

    `warehouse` is its name, without a password. `planned` are the ids that a dry run found to load,
    and `removed` those that it would remove. `partial` are snapshots that were left out because
    they are partial, `unreadable` those that could not be loaded because they cannot be read.
    """

    status: Status
    exit_code: int
    seconds: float
    warehouse: str = ""
    planned: tuple[str, ...] = ()
    loaded: tuple[Loaded, ...] = ()
    removed: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code, its figures, and its manifest if it published one.

    `registries` are those of what it published, the largest first, where that could be read. `load`
    is the load that followed, if one did.
    """

    status: Status
    exit_code: int
    statistics: Statistics
    manifest: Manifest | None = None
    error: str | None = None
    registries: tuple[ScopeSizes, ...] = ()
    load: LoadOutcome | None = None
