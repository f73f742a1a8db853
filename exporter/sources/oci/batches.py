"""Batches: a few things of a repository, each of which takes a call, stored together as one page.

A task takes one thing after the other, so a repository's many batches are spread over the slots. A
batch is stored with its results, its rows, and what it has cost; a resumed run takes all of them
from there. Batches are cut by the number of things alone, so that they are the same then.
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
    call. `done` is told all results, at once, also of a batch that an earlier attempt has stored.
    """

    has_prefetched = False

    def __init__(
        self,
        owner: Owner,
        pipeline: PagePipeline,
        key: str,
        things: Sequence[str],
        work: Callable[[str, Rows], Awaitable[tuple[Result, bool]]],
        done: Callable[[Sequence[Result]], None],
    ) -> None:
        self._owner = owner
        self._pipeline = pipeline
        self._key = PageKey(key)
        self._things = things
        self._work = work
        self._done = done
        self._results: list[Result] = []
        self._rows: Rows = {}

    @property
    def priority(self) -> Priority:
        """The longest repository goes first."""
        return Priority(Rank.LISTING, self._owner.left)

    async def run_one(self) -> bool:
        """Work until a call was sent; see `crawl.task.Task`."""
        if not self._results and await self._is_stored():
            return False
        while len(self._results) < len(self._things):
            result, has_called = await self._work(self._things[len(self._results)], self._rows)
            self._results.append(result)
            if has_called and len(self._results) < len(self._things):
                return True
        await self._write()
        self._done(self._results)
        return False

    async def _is_stored(self) -> bool:
        stored = self._pipeline.stored(self._key)
        if stored is None or (stored.body is None and not stored.sealed):
            return False
        results: list[Result] = orjson.loads(stored.summary)
        if not stored.sealed and stored.body:
            await self._hand_over(stored.summary, stored.body, unpacked(stored.body))
        self._pipeline.count_stored(costs(results))
        self._done(results)
        return True

    async def _write(self) -> None:
        tables = {name: self._owner.table(name, rows) for name, rows in self._rows.items()}
        await self._hand_over(orjson.dumps(self._results), packed(tables), tables)

    async def _hand_over(self, summary: bytes, body: bytes, tables: Mapping[str, pa.Table]) -> None:
        with await self._pipeline.small.reserve(0.0) as held:
            held.resize(len(body) + len(summary))
            # Without rows nothing is ever sealed away, so the body is kept.
            await self._pipeline.write(held, self._key, summary, body, tables, inline=not tables)
        self._pipeline.count_rows(images=_rows(tables, "images"), layers=_rows(tables, "layers"))


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
