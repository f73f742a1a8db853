"""The figures of a load: the loader writes them, the terminal and the log read them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.snapshots.manifest import Status


@dataclass(frozen=True)
class Loaded:
    """A snapshot that was loaded: how many rows of each table, in how many seconds."""

    snapshot_id: str
    status: Status
    rows: Mapping[str, int]
    seconds: float


@dataclass
class LoadProgress:
    """What a load has done so far.

    Of `snapshots` to load, `loaded` are. `snapshot_id` is the one under way, of whose `rows_known`
    rows `rows` are read; its `table` is being written. `removed` are the ids that a prune removed.
    Every event of the load has the `run_id`.
    """

    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Clock = field(default_factory=Clock)
    snapshots: int = 0
    snapshot_id: str = ""
    table: str = ""
    rows: int = 0
    rows_known: int = 0
    loaded: list[Loaded] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def begin(self, snapshot_id: str, rows_known: int) -> None:
        """Note that a snapshot is under way."""
        self.snapshot_id, self.table, self.rows, self.rows_known = snapshot_id, "", 0, rows_known

    def read(self, rows: int) -> None:
        """Note that rows of the snapshot under way are read."""
        self.rows += rows
