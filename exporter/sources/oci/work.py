"""The work of one repository: what its present step does, in batches, until all of them ended.

A step goes on to the next only once what failed is settled (`stalls.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import orjson
import pyarrow as pa

from exporter.page import PageKey
from exporter.sources.oci.batches import Batch, Result, cost_fields, cut
from exporter.sources.oci.entries import Entries
from exporter.sources.oci.reading import Spent
from exporter.sources.oci.rows import Rows
from exporter.sources.oci.state import Repository
from exporter.tables.staged import STAGED

Done = tuple[Result, bool]
"""What became of one thing, and whether a call was sent for it."""
GiveUp = Callable[[Result, Rows], Awaitable[Result]]
_GIVEN_UP = ".given_up"


@dataclass(frozen=True)
class _Failures:
    """What failed in one step, by thing, and how its owner goes on without it."""

    step: str
    results: Mapping[str, Result]
    give_up: GiveUp
    done: Callable[[Sequence[Result]], None]


class Work:
    """Submits the batches of a repository, and counts those that are open (`batches.Owner`).

    `stop` ends the repository where its result is not published.
    """

    def __init__(self, repository: Repository, entries: Entries, stop: Callable[[], None]) -> None:
        self._repository = repository
        self._entries = entries
        self._stop = stop
        self._open = 0  # Batches of the present step.
        self._queued = 0  # Things in them.
        self._failures: list[_Failures] = []

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
        give_up: GiveUp | None = None,
    ) -> None:
        """Do something for each thing; `done` is told the results of a batch, as it ends.

        `then` is called after a batch where no other is open; it calls `settle` before it goes on
        to what depends on the results. There, what failed comes to `done` as well. `give_up` may
        change the result of such a thing, and add rows, without another try.
        """
        given_up = self._given_up(step)

        def ended(results: Sequence[Result], failed: Sequence[Result]) -> None:
            done(results)
            self._entries.batch_ended(results)
            if failed:
                by_thing = {result["thing"]: result for result in failed}
                self._failures.append(_Failures(step, by_thing, give_up or _as_it_is, done))
            self._open -= 1
            self._queued -= len(results) + len(failed)
            if self.is_done:
                then()

        for place, batch in enumerate(cut(things)):
            left = [thing for thing in batch if thing not in given_up]
            if left:
                self._begin(f"{step}.{place}", left, do, ended)
        if given_up:
            self._begin(f"{step}{_GIVEN_UP}", given_up, do, ended)

    def settle(self, then: Callable[[], None]) -> None:
        """Go on with `then`: at once if nothing failed, or as `stalls.py` says."""
        failures, self._failures = self._failures, []
        if not failures:
            then()
            return
        stalls = self._repository.registry.stalls
        if stalls.publishes:
            count = sum(len(one.results) for one in failures)
            stalls.wait(count, partial(self._go_on_without, failures, then))
            return
        for one in failures:
            one.done(list(one.results.values()))
            self._entries.batch_ended(list(one.results.values()))
        self._stop()

    def _go_on_without(self, failures: Sequence[_Failures], then: Callable[[], None]) -> None:
        """Store that these things failed, so that all that follows stays as it is."""

        def ended(one: _Failures, results: Sequence[Result], _failed: Sequence[Result]) -> None:
            one.done(results)
            self._entries.batch_ended(results)
            self._open -= 1
            self._queued -= len(results)
            if self.is_done:
                then()

        for one in failures:
            self._begin(
                f"{one.step}{_GIVEN_UP}",
                list(one.results),
                partial(_give_up, one),
                partial(ended, one),
                keeps_failures=True,
            )

    def _begin(
        self,
        key: str,
        things: Sequence[str],
        do: Callable[[str, Rows], Awaitable[Done]],
        ended: Callable[[Sequence[Result], Sequence[Result]], None],
        *,
        keeps_failures: bool = False,
    ) -> None:
        registry = self._repository.registry
        self._open += 1
        self._queued += len(things)
        name = f"{self._repository.name}#{key}"
        registry.submit(
            Batch(self, registry.pipeline, name, things, do, ended, keeps_failures=keeps_failures)
        )

    def _given_up(self, step: str) -> Sequence[str]:
        """Return the things of a step that an earlier attempt has gone on without."""
        key = PageKey(f"{self._repository.name}#{step}{_GIVEN_UP}")
        stored = self._repository.registry.pipeline.stored(key)
        if stored is None or (stored.body is None and not stored.sealed):
            return ()
        return [result["thing"] for result in orjson.loads(stored.summary)]


async def _give_up(failures: _Failures, thing: str, rows: Rows) -> Done:
    return await failures.give_up(failures.results[thing], rows), False


async def _as_it_is(result: Result, _rows: Rows) -> Result:
    return result


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
