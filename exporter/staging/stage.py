"""The stage: the crawl gives it pages to write, and gets back pages that an earlier attempt kept.

One thread does all the writing, in the order in which the pages come: rows into the open Parquet
parts, bodies into the spool, and an entry into the journal. The stage tells the caller when a page
is written. The caller limits how many pages wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import structlog

from exporter.errors import LostStagingError, OutputError
from exporter.page import Note, StoredPage
from exporter.staging.journal import Journal
from exporter.staging.layout import StagedFile, staged_path
from exporter.staging.parquet import PART_BYTES, Parts, output_errors
from exporter.threads import in_thread
from exporter.wording import switch

SPOOL_BYTES = 2 * 1024 * 1024 * 1024
"""Bytes of spooled bodies at which parts are closed early, so that the spool's size is bounded."""
COMMIT_SECONDS = 0.5
"""Seconds that a page may wait to become durable."""

log = structlog.get_logger()


class Stage:
    """The staging folder of a run in progress; an async context manager."""

    def __init__(self, staging: Path) -> None:
        self.path = staging
        self._journal = Journal(staging)
        self._notes = self._journal.notes()
        try:
            self._drop_unfinished_parts()
        except OutputError as error:
            self._journal.__exit__(type(error), error, None)
            raise
        numbers: dict[str, int] = {}
        for table, number, _ in self._journal.parts():
            numbers[table] = max(numbers.get(table, 0), number + 1)
        self._parts = Parts(staging, numbers)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._failure: BaseException | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to commit regularly."""
        self._ticker = asyncio.create_task(self._commit_regularly())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the waiting pages, commit, and close; parts that are still open are abandoned."""
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        try:
            await in_thread(lambda _: self._close(kind, error, trace), self._writer)
        finally:
            self._writer.shutdown()

    @property
    def kept_before(self) -> int:
        """How many pages earlier attempts kept."""
        return self._journal.kept_before

    def stored(self, key: str) -> StoredPage | None:
        """Return the page that an earlier attempt kept under `key`, if there is one."""
        return self._journal.stored(key)

    def notes(self, scope: str) -> frozenset[Note]:
        """Return the notes that earlier attempts made on a scope."""
        return self._notes.get(scope, frozenset())

    async def keep(
        self,
        key: str,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a page later: its rows, its body and its summary.

        `written` is called in the event loop once that is done, or has failed. Raises the error of
        an earlier page. See `Journal.keep` for `inline`.
        """

        def write() -> None:
            self._parts.append(tables)
            self._journal.keep(key, summary, body, inline=inline)
            if self._journal.spooled_bytes >= SPOOL_BYTES or self._parts.largest() >= PART_BYTES:
                self._seal()

        self._submit(write, done=written)

    def add_note(self, note: Note) -> None:
        """Keep a note: it becomes durable before any page that is kept later."""
        self._submit(lambda: self._journal.add_note(note))

    async def finish(self) -> list[StagedFile]:
        """Write everything, close the open parts, and return all finished parts of all tables."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._seal)
        self._raise_failure()
        return [
            StagedFile(table, "parquet", staged_path(self.path, table, number, "parquet"), rows)
            for table, number, rows in self._journal.parts()
        ]

    def _submit(self, work: Callable[[], None], done: Callable[[], None] = lambda: None) -> None:
        self._raise_failure()
        loop = asyncio.get_running_loop()

        def attempt() -> None:
            if self._failure is None:
                try:
                    work()
                except BaseException as error:  # noqa: BLE001  (raised again by the next call)
                    self._failure = error
            with suppress(RuntimeError):  # The loop may be gone when a run is torn down.
                loop.call_soon_threadsafe(done)

        self._writer.submit(attempt)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            if self._journal.dirty and self._failure is None:
                self._submit(self._journal.commit)

    def _seal(self) -> None:
        if self._failure is None:
            self._journal.seal(self._parts.close())

    def _close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._parts.__exit__(kind, error, trace)
        self._journal.__exit__(kind, self._failure or error, trace)

    def _drop_unfinished_parts(self) -> None:
        finished = {
            staged_path(self.path, table, number, "parquet")
            for table, number, _ in self._journal.parts()
        }
        with output_errors(self.path):
            for path in self.path.glob("parquet/*/part-*.parquet"):
                if path not in finished:
                    log.debug("part_dropped", path=str(path))
                    path.unlink()
            for path in finished:
                if not path.exists():
                    raise LostStagingError(
                        f"The staged part {path} is gone: start the snapshot over with "
                        f"{switch('fresh')}."
                    )
