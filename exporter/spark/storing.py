"""Where the pages of a part go: into parts of tables, with nothing to resume from.

A task that is lost begins anew in another folder, so neither bodies nor notes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from exporter.crawl.page_store import NullPageStore
from exporter.page import PageKey
from exporter.staging.layout import StagedFile
from exporter.staging.writer_thread import WriterThread
from exporter.tables.bad_values import BAD_VALUES, NO_BAD_VALUES


class PartStore(NullPageStore):
    """Writes rows into parts below a folder (`crawl.page_store.PageStore`); a context manager.

    With `tables`, it writes only those.
    """

    def __init__(self, folder: Path, tables: Collection[str] | None = None) -> None:
        self._tables = tables
        self._finished: list[StagedFile] = []
        self._writer = WriterThread(folder, {}, closed=self._finished.extend)

    async def __aenter__(self) -> Self:
        """Return the store itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the pages that are being written; abandon parts that are still open."""
        await self._writer.end()

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
        wanted = {
            name: rows
            for name, rows in tables.items()
            if self._tables is None or name in self._tables
        }
        self._writer.write(wanted, done=written)

    async def finish(self) -> list[StagedFile]:
        """Close the open parts, and return all parts, those of a table in their order."""
        await self._writer.finish()
        return self._finished


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
