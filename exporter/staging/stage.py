"""The stage: the crawl gives it pages to write, and gets back pages that an earlier attempt kept.

Of each page, the writer's thread first adds the rows to the open Parquet parts, and then enters the
page in the journal, with its body. The stage tells the caller when a page is written. The caller
limits how many pages wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
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
from exporter.staging.parquet import output_errors
from exporter.staging.writer_thread import WriterThread
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
        self._writer = WriterThread(staging, numbers, closed=self._journal.seal)
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
        await self._writer.end(
            lambda: self._journal.__exit__(kind, self._writer.failure or error, trace)
        )

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

        def enter() -> None:
            self._journal.keep(key, summary, body, inline=inline)
            if self._journal.spooled_bytes >= SPOOL_BYTES:
                self._writer.close_parts()

        self._writer.write(tables, enter, done=written)

    def add_note(self, note: Note) -> None:
        """Keep a note: it becomes durable before any page that is kept later."""
        self._writer.submit(lambda: self._journal.add_note(note))

    async def finish(self) -> list[StagedFile]:
        """Write everything, close the open parts, and return all finished parts of all tables."""
        await self._writer.finish()
        return [
            StagedFile(table, "parquet", staged_path(self.path, table, number, "parquet"), rows)
            for table, number, rows in self._journal.parts()
        ]

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            if self._journal.dirty and self._writer.failure is None:
                self._writer.submit(self._journal.commit)

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
