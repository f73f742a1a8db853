"""Where the pages of a part go: into parts of tables, with nothing to resume from.

A task that is lost begins anew in another folder, so neither bodies nor notes are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from exporter.crawl.page_store import NullPageStore
from exporter.page import PageKey
from exporter.staging.layout import StagedFile
from exporter.staging.parquet import PART_BYTES, Parts
from exporter.tables.bad_values import BAD_VALUES, NO_BAD_VALUES
from exporter.threads import in_thread


class PartStore(NullPageStore):
    """Writes rows into parts below a folder (`crawl.page_store.PageStore`); a context manager.

    One thread does all the writing, in the order in which the pages come. With `tables`, it writes
    only those.
    """

    def __init__(self, folder: Path, tables: Collection[str] | None = None) -> None:
        self._tables = tables
        self._parts = Parts(folder, {})
        self._finished: list[StagedFile] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        """Return the store itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the page that is being written; abandon parts that are still open."""
        try:
            await in_thread(lambda _: self._parts.__exit__(kind, error, trace), self._writer)
        finally:
            self._writer.shutdown()

    async def keep(
        self,
        key: PageKey,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the rows of a page later; raises the error of an earlier page."""
        self._raise_failure()
        loop = asyncio.get_running_loop()
        wanted = {
            name: rows
            for name, rows in tables.items()
            if self._tables is None or name in self._tables
        }

        def write() -> None:
            if self._failure is None:
                try:
                    self._parts.append(wanted)
                    if self._parts.largest() >= PART_BYTES:
                        self._finished += self._parts.close()
                except BaseException as error:  # noqa: BLE001 - raised again by the next call
                    self._failure = error
            with suppress(RuntimeError):  # The loop may be gone when a task is torn down.
                loop.call_soon_threadsafe(written)

        self._writer.submit(write)

    async def finish(self) -> list[StagedFile]:
        """Close the open parts, and return all parts, those of a table in their order."""
        closed = await in_thread(lambda _: self._parts.close(), self._writer)
        self._raise_failure()
        return [*self._finished, *closed]

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


class DriverStore(NullPageStore):
    """Keeps of the driver's pages what only the crawl sees: the rows of `bad_values`."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = [NO_BAD_VALUES]

    @property
    def bad_values(self) -> pa.Table:
        """The rows of `bad_values` of all pages."""
        return pa.concat_tables(self._rows)

    async def keep(
        self,
        key: PageKey,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep those rows, and let the page go."""
        if BAD_VALUES.name in tables:
            self._rows.append(tables[BAD_VALUES.name])
        written()
