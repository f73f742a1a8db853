"""Threads that decode pages outside of the event loop, those of the longest listings first.

The next call of a long listing is known only once its page is decoded, so that page must not wait
behind many pages of short listings that came just before. Nor may decoding get ahead of the single
thread that writes: the pages would be written at the end, when there is nothing else to do.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from queue import PriorityQueue
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

ENOUGH_UNWRITTEN = 8
"""From this many decoded pages waiting to be written, only one thread decodes."""
MOST_UNWRITTEN = 16
"""From this many, no thread decodes: rows take more memory than the body they were in."""
_LEARNING = 0.1


class Decoders:
    """Decodes bodies in this number of threads; of waiting bodies, the one of largest weight first.

    A context manager. PyArrow releases the GIL while it decodes.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._waiting: PriorityQueue[tuple[float, int, Future[Any], Callable[[], Any]]]
        self._waiting = PriorityQueue()
        self._numbers = count()
        self._changed = threading.Condition()
        self._decoding = 0
        self._unwritten = 0
        self._closed = False
        self._bytes = 0
        self._seconds_per_byte = 0.0

    def __enter__(self) -> Self:
        """Return the decoders themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the bodies that are being decoded; the others no longer wait for the writer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._executor.shutdown()

    @property
    def backlog(self) -> float:
        """Seconds that it may take to decode all bodies that have come."""
        return self.seconds_for(self._bytes)

    def seconds_for(self, body_bytes: float) -> float:
        """Return the seconds that all threads together take to decode so many bytes of bodies."""
        return body_bytes * self._seconds_per_byte / self._threads

    def handed_over(self) -> None:
        """Count a page that is to be written now; `written` must follow."""
        with self._changed:
            self._unwritten += 1

    def written(self) -> None:
        """Count a page as written."""
        with self._changed:
            self._unwritten -= 1
            self._changed.notify()

    async def run(self, decode: Callable[[bytes], T], body: bytes, *, weight: float) -> T:
        """Return the result of `decode` for a body, in its turn, or raise its error."""
        job: Future[tuple[T, float]] = Future()

        def work() -> tuple[T, float]:
            began = time.perf_counter()
            return decode(body), time.perf_counter() - began

        self._waiting.put((-weight, next(self._numbers), job, work))
        self._bytes += len(body)
        try:
            self._executor.submit(self._do_next)
            decoded, seconds = await asyncio.wrap_future(job)
        finally:
            self._bytes -= len(body)
        taken = seconds / (len(body) or 1)
        self._seconds_per_byte += (taken - self._seconds_per_byte) * _LEARNING
        return decoded

    def _may_go_on(self) -> bool:
        most = ENOUGH_UNWRITTEN if self._decoding else MOST_UNWRITTEN
        return self._unwritten < most or self._closed

    def _do_next(self) -> None:
        with self._changed:
            self._changed.wait_for(self._may_go_on)
            self._decoding += 1
        # Called once for each waiting body, but it takes the one that is next by now.
        _, _, job, work = self._waiting.get_nowait()
        try:
            if job.set_running_or_notify_cancel():
                job.set_result(work())
        except BaseException as error:  # noqa: BLE001  (raised where it is awaited)
            job.set_exception(error)
        finally:
            with self._changed:
                self._decoding -= 1
                self._changed.notify()
