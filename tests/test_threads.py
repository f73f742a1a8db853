"""Work in threads: whoever cancels it goes on once it has ended, and long work is cut short."""

from __future__ import annotations

import asyncio
import threading
import time

import duckdb
import pytest

from exporter.threads import Stop, StoppedError, in_thread

ENDLESS = "SELECT sum(a.range * b.range) FROM range(1000000000) a, range(1000000000) b"


async def test_who_is_cancelled_waits_for_the_end_of_the_work() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(stop: Stop) -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
                stop.check()
        finally:
            time.sleep(0.2)
            ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0.05)
    task.cancel()  # Whoever loses patience is not let go either.
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_query_without_end_is_interrupted() -> None:
    begun = threading.Event()
    failures: list[Exception] = []

    def work(stop: Stop) -> None:
        with duckdb.connect() as connection, stop.interrupting(connection.interrupt):
            begun.set()
            try:
                connection.execute(ENDLESS)
            except duckdb.InterruptException as error:
                failures.append(error)

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(failures) == 1


def test_what_would_begin_after_it_was_asked_to_stop_does_not() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(StoppedError), stop.interrupting(lambda: None):
        pytest.fail("it has begun")
