"""A session with PostgreSQL through ADBC: transactions, statements, and binary COPY.

ADBC begins a transaction before the first statement, and it ends with `commit` or `rollback`. A
statement that fails leaves a session that can only be rolled back.

A thread of its own makes all calls. In the main thread, ADBC would take SIGINT for itself. While it
sends a batch, the caller reads the next one, and the caller's own errors stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, TypeVar

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_manager.dbapi import Connection
from adbc_driver_postgresql import ConnectionOptions, dbapi

from exporter.load.postgresql.address import Address
from exporter.load.postgresql.failures import failure, lost_at_commit, unreachable

Value = str | int | list[str]
_T = TypeVar("_T")
_AHEAD = 2
"""Batches that are read before they are sent."""
_GLANCE = 0.2
"""Seconds between two looks at the other thread, where one waits for it."""


class Session:
    """One connection; raises `LoadError` with a sentence for what goes wrong.

    The clause `doing` in its methods is what a failure says could not be done.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._thread = ThreadPoolExecutor(1, "postgresql")
        self._connection = self._connected()

    def rows(self, doing: str, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        """Run one statement with the values of `$1`, `$2` …, and return the rows of its answer."""

        def call() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall()

        return self._finish(doing, self._thread.submit(call))

    def run(self, doing: str, statements: Iterable[str]) -> None:
        """Run statements that have no answer, one after the other."""

        def call(sql: str) -> None:
            with self._connection.cursor() as cursor:
                cursor.executemany(sql, None)

        for sql in statements:
            self._finish(doing, self._thread.submit(call, sql))

    def copy(
        self,
        doing: str,
        schema: str,
        table: str,
        columns: pa.Schema,
        batches: Iterable[pa.RecordBatch],
    ) -> None:
        """Append batches to a table, whose columns of these names have exactly these types.

        Raises what `batches` raises.
        """
        handed = _Handed()

        def call() -> None:
            with self._connection.cursor() as cursor:
                reader = pa.RecordBatchReader.from_batches(columns, handed)
                cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema)

        copying = self._thread.submit(call)
        try:
            for batch in batches:
                if not handed.put(batch, copying):
                    break
        except BaseException:
            handed.stop()
            self._abandon(copying)
            raise
        handed.end(copying)
        self._finish(doing, copying)

    def commit(self, doing: str) -> None:
        """Commit the transaction, if one has begun."""
        call = self._thread.submit(self._connection.commit)
        try:
            call.result()
        except Error as error:
            if self._is_lost():
                raise lost_at_commit(self.address) from None
            raise failure(error, self.address, doing, lost=False) from None

    def rollback(self) -> None:
        """Roll the transaction back, if one has begun and the connection is still there."""
        with suppress(Error):
            self._thread.submit(self._connection.rollback).result()

    def close(self) -> None:
        """Close the connection, which rolls back what is not committed."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _connected(self) -> Connection:
        connection: Connection
        try:
            connection = self._thread.submit(dbapi.connect, self.address.conninfo).result()
        except BaseException as error:
            self._thread.shutdown(wait=False)
            if isinstance(error, Error):
                raise unreachable(error, self.address) from None
            raise
        return connection

    def _finish(self, doing: str, call: Future[_T]) -> _T:
        try:
            return call.result()
        except Error as error:
            raise failure(error, self.address, doing, lost=self._is_lost()) from None
        except BaseException:
            self._abandon(call)
            raise

    def _abandon(self, call: Future[Any]) -> None:
        """Have the server give up a statement that nobody waits for any more."""
        if not call.done():
            with suppress(Error):
                self._connection.adbc_cancel()
        with suppress(Exception):
            call.result()

    def _is_lost(self) -> bool:
        option = ConnectionOptions.TRANSACTION_STATUS.value
        try:
            status = self._thread.submit(
                self._connection.adbc_connection.get_option, option
            ).result()
        except Error:
            return True
        return str(status) == "unknown"


class _Handed:
    """Batches on their way from the thread that reads them to the one that sends them."""

    def __init__(self) -> None:
        self._queue: Queue[pa.RecordBatch | None] = Queue(_AHEAD)
        self._stopped = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches in the thread that sends them."""
        while (batch := self._get()) is not None:
            yield batch

    def put(self, batch: pa.RecordBatch | None, sending: Future[None]) -> bool:
        """Hand a batch over, or the end; return whether somebody still takes it."""
        while not sending.done():
            try:
                self._queue.put(batch, timeout=_GLANCE)
            except Full:
                continue
            return True
        return False

    def end(self, sending: Future[None]) -> None:
        """Say that there are no more batches."""
        self.put(None, sending)

    def stop(self) -> None:
        """Let the sending fail, so that nothing of the table is there."""
        self._stopped = True

    def _get(self) -> pa.RecordBatch | None:
        while True:
            if self._stopped:
                raise InterruptedError("the batches cannot be read")
            with suppress(Empty):
                return self._queue.get(timeout=_GLANCE)
