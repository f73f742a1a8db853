"""Batches: a few things of a repository, each of which takes a call, stored together as one page.

A task takes one thing after the other, so a repository's many batches are spread over the slots. A
batch is stored with its results, its rows, and what it has cost; a resumed run takes all of them
from there, and tries again what failed. Batches are cut by the number of things alone, so that they
are the same then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson
import pyarrow as pa

from exporter.crawl.pipeline import Cost, PagePipeline
from exporter.crawl.task import Priority, Rank
from exporter.errors import AnswerError, ApiError, StatusError
from exporter.page import PageKey
from exporter.sources.oci.rows import Rows

Result = dict[str, Any]
"""What became of one thing, as JSON."""

LEAST, MOST = 8, 16
"""Things in a batch: few in a small repository, so that several slots work on it."""
_SHARES = 128


def cut(things: Sequence[str]) -> list[Sequence[str]]:
    """Return the things in batches."""
    size = min(max(len(things) // _SHARES, LEAST), MOST)
    return [things[start : start + size] for start in range(0, len(things), size)]


class Owner(Protocol):
    """The repository that a batch belongs to."""

    @property
    def left(self) -> float:
        """How many things are left to do, as far as is known."""

    def table(self, name: str, rows: list[dict[str, Any]]) -> pa.Table:
        """Return rows as a table."""


class Batch:
    """A task (`crawl.task.Task`) that does `work` for each thing.

    `work` is given the thing and the rows to add to, and returns a result and whether it has sent a
    call. `ended` is told all results at once: those that stand, also of an earlier attempt, and
    those of what failed. What failed is not stored, nor are its rows, so a resumed run tries it
    again; unless `keeps_failures`.
    """

    has_prefetched = False

    def __init__(
        self,
        owner: Owner,
        pipeline: PagePipeline,
        key: str,
        things: Sequence[str],
        work: Callable[[str, Rows], Awaitable[tuple[Result, bool]]],
        ended: Callable[[Sequence[Result], Sequence[Result]], None],
        *,
        keeps_failures: bool = False,
    ) -> None:
        self._owner = owner
        self._pipeline = pipeline
        self._name = key
        self._things = things
        self._work = work
        self._ended = ended
        self._keeps_failures = keeps_failures
        self._attempt = -1
        """How many earlier attempts have stored a part of it; -1 until that was looked for."""
        self._recalled: list[Result] = []
        self._results: list[Result] = []
        self._failed: list[Result] = []
        self._rows: Rows = {}

    @property
    def priority(self) -> Priority:
        """The longest repository goes first."""
        return Priority(Rank.LISTING, self._owner.left)

    async def run_one(self) -> bool:
        """Work until a call was sent; see `crawl.task.Task`."""
        if self._attempt < 0:
            await self._recall()
        while self._done < len(self._things):
            has_called = await self._do(self._things[self._done])
            if has_called and self._done < len(self._things):
                return True
        if self._results:
            await self._write()
        self._ended([*self._recalled, *self._results], self._failed)
        return False

    @property
    def _done(self) -> int:
        return len(self._results) + len(self._failed)

    async def _do(self, thing: str) -> bool:
        rows: Rows = {}
        result, has_called = await self._work(thing, rows)
        result["thing"] = thing
        if is_failed(result) and not self._keeps_failures:
            self._failed.append(result)
            return has_called
        self._results.append(result)
        for table, more in rows.items():
            self._rows.setdefault(table, []).extend(more)
        return has_called

    @property
    def _key(self) -> PageKey:
        return PageKey(f"{self._name}~{self._attempt}" if self._attempt else self._name)

    async def _recall(self) -> None:
        """Take the results of earlier attempts; what they lack is left to do."""
        self._attempt = 0
        while (stored := self._pipeline.stored(self._key)) is not None:
            if stored.body is None and not stored.sealed:
                break
            if not stored.sealed and stored.body:
                await self._hand_over(stored.summary, stored.body, unpacked(stored.body))
            self._recalled += orjson.loads(stored.summary)
            self._attempt += 1
        if self._recalled:
            self._pipeline.count_stored(costs(self._recalled))
            known = {result["thing"] for result in self._recalled}
            self._things = [thing for thing in self._things if thing not in known]

    async def _write(self) -> None:
        tables = {name: self._owner.table(name, rows) for name, rows in self._rows.items()}
        await self._hand_over(orjson.dumps(self._results), packed(tables), tables)

    async def _hand_over(self, summary: bytes, body: bytes, tables: Mapping[str, pa.Table]) -> None:
        with await self._pipeline.small.reserve(0.0) as held:
            held.resize(len(body) + len(summary))
            # Without rows nothing is ever sealed away, so the body is kept.
            await self._pipeline.write(held, self._key, summary, body, tables, inline=not tables)
        self._pipeline.count_rows(images=_rows(tables, "images"), layers=_rows(tables, "layers"))


def is_failed(result: Result) -> bool:
    """Return whether a thing, or a part of it, could not be read."""
    return "failed" in result or "config_failed" in result


def costs(results: Sequence[Result], name: str = "") -> Cost:
    """Return what results have cost: all of it, or for one kind of calls."""
    total = Cost(0, 0, 0, pages=0)
    for result in results:
        for kind, cost in result.get("costs", {}).items():
            if name in ("", kind):
                total = total + Cost(*cost)
    return total


def cost_fields(cost: Cost) -> list[int]:
    """Return what something has cost as JSON."""
    return [cost.calls, cost.wire_bytes, cost.throttled, cost.pages, cost.misses]


def packed(tables: Mapping[str, pa.Table]) -> bytes:
    """Return tables as bytes."""
    sink = pa.BufferOutputStream()
    for name, rows in tables.items():
        named = rows.replace_schema_metadata({"table": name})
        with pa.ipc.new_stream(sink, named.schema) as writer:
            writer.write_table(named)
    return bytes(sink.getvalue())


def unpacked(body: bytes) -> dict[str, pa.Table]:
    """Return the tables that `packed` made bytes of."""
    tables: dict[str, pa.Table] = {}
    source = pa.BufferReader(body)
    while source.tell() < len(body):
        rows = pa.ipc.open_stream(source).read_all()
        tables[rows.schema.metadata[b"table"].decode()] = rows
    return tables


def failure(error: ApiError) -> Result:
    """Return an error as JSON, for `error_of`."""
    status = (
        {"http_status": error.http_status, "code": error.code}
        if isinstance(error, StatusError)
        else {}
    )
    place = {"call": error.call, "scope": error.scope, "request_id": error.request_id}
    return {"message": error.message, **place, **status}


def error_of(failed: Result) -> ApiError:
    """Return the error that `failure` has made JSON of; its calls are counted elsewhere."""
    kind = StatusError if "http_status" in failed else AnswerError
    message, rest = failed["message"], {name: failed[name] for name in failed if name != "message"}
    return kind(message, **rest, calls=0)


def _rows(tables: Mapping[str, pa.Table], name: str) -> int:
    return len(tables[name]) if name in tables else 0
