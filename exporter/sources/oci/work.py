"""The work of one repository: what its present step does, in batches, until all of them ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from exporter.sources.oci.batches import Batch, Result, cost_fields, cut
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.tables.bad_values import STAGED

Done = tuple[Result, bool]
"""What became of one thing, and whether a call was sent for it."""


class Work:
    """Submits the batches of a repository, and counts those that are open (`batches.Owner`)."""

    def __init__(self, repository: Repository, entries: Entries) -> None:
        self._repository = repository
        self._entries = entries
        self._open = 0  # Batches of the present step.
        self._queued = 0  # Things in them.

    @property
    def left(self) -> float:
        """How many things are left to do, as far as is known."""
        return float(self._queued)

    @property
    def is_done(self) -> bool:
        """Whether no batch is open."""
        return not self._open

    def table(self, name: str, rows: list[dict[str, Any]]) -> pa.Table:
        """Return rows as a table."""
        return pa.Table.from_struct_array(pa.array(rows, type=_rows_of(name)))

    def submit(
        self,
        step: str,
        things: Sequence[str],
        do: Callable[[str, Rows], Awaitable[Done]],
        *,
        done: Callable[[Sequence[Result]], None],
        then: Callable[[], None],
    ) -> None:
        """Do something for each thing; `done` is told the results of a batch, as it ends.

        `then` is called after a batch where no other is open.
        """

        def ended(results: Sequence[Result]) -> None:
            done(results)
            self._open -= 1
            self._queued -= len(results)
            self._entries.batch_ended(results)
            if self.is_done:
                then()

        registry = self._repository.registry
        for place, batch in enumerate(cut(things)):
            self._open += 1
            self._queued += len(batch)
            key = f"{self._repository.name}#{step}.{place}"
            registry.submit(Batch(self, registry.pipeline, key, batch, do, ended))


@cache
def _rows_of(name: str) -> pa.StructType:
    """Return a table's rows as one type: for few rows, to convert them at once is faster."""
    return pa.struct(list(STAGED[name].schema))


def with_costs(result: Result, spent: Spent, configs: Spent | None = None) -> Done:
    """Return a result with what it has cost, and whether that was any call."""
    result["costs"] = {"manifests": cost_fields(spent.cost)}
    calls = spent.cost.calls
    if configs is not None and configs.cost.calls:
        result["costs"]["configs"] = cost_fields(configs.cost)
        calls += configs.cost.calls
    return result, calls > 0
