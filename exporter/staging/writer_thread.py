"""The thread that writes rows into parts, in the order in which they come.

Whoever keeps more than rows, as the stage does with its journal, has it written by the same thread.
The caller limits how much waits here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from exporter.staging.layout import StagedFile
from exporter.staging.parquet import Parts
from exporter.threads import in_thread


def _nothing() -> None:
    """Do nothing."""


class WriterThread:
    """Writes rows into parts below a folder; `first_numbers` are as for `Parts`.

    `closed` takes the parts that are closed, in the thread: after a part has become large, and at
    the end. After the first failure nothing more is written, and every next call raises it.
    """

    def __init__(
        self,
        folder: Path,
        first_numbers: Mapping[str, int],
        closed: Callable[[list[StagedFile]], None],
    ) -> None:
        self._parts = Parts(folder, first_numbers)
        self._closed = closed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._failure: BaseException | None = None

    @property
    def failure(self) -> BaseException | None:
        """The first error of the thread, which the next call raises."""
        return self._failure

    def write(
        self,
        tables: Mapping[str, pa.Table],
        then: Callable[[], None] = _nothing,
        *,
        done: Callable[[], None] = _nothing,
    ) -> None:
        """Add rows to their parts later, and call `then` in the thread after that.

        Parts are closed once one of them is large. `done` is as for `submit`.
        """

        def work() -> None:
            self._parts.append(tables)
            then()
            if self._parts.are_large:
                self.close_parts()

        self.submit(work, done=done)

    def submit(self, work: Callable[[], None], *, done: Callable[[], None] = _nothing) -> None:
        """Call `work` later, in the thread; raises the error of an earlier call.

        `done` is called in the event loop once that has ended, or failed, or was left out because
        of an earlier failure.
        """
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

        self._thread.submit(attempt)

    def close_parts(self) -> None:
        """Close the open parts; only for work in the thread. The next rows go to new parts."""
        self._closed(self._parts.close())

    async def finish(self) -> None:
        """Write everything, and close the open parts; raises the error of an earlier call."""

        def last() -> None:
            if self._failure is None:
                self.close_parts()

        await in_thread(lambda _: last(), self._thread)
        self._raise_failure()

    async def end(self, then: Callable[[], None] = _nothing) -> None:
        """Write everything that waits, abandon parts that are still open, and end the thread.

        `then` is called in it at last.
        """

        def last() -> None:
            self._parts.abandon()
            then()

        try:
            await in_thread(lambda _: last(), self._thread)
        finally:
            self._thread.shutdown()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
