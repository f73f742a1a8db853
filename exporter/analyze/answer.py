"""An answer that stays in DuckDB: its rows are streamed until it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 16_384
"""Rows of an answer that are in memory at a time."""


class Answer:
    """A context manager over the database with an answer, for one thread at a time.

    `stack` holds what must be closed with it: the database, and its temporary folder.
    """

    def __init__(self, connection: DuckDBPyConnection, stack: ExitStack) -> None:
        self._connection = connection
        self._stack = stack

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def close(self) -> None:
        """Let go of what was found; a second call does nothing."""
        self._stack.close()

    def _reader(self, query: str, schema: pa.Schema | None = None) -> pa.RecordBatchReader:
        """Run a query, and return its rows a batch at a time, cast to a schema if one is given."""
        # A cursor of its own: the connection may answer something else meanwhile.
        found = self._connection.cursor().sql(query).to_arrow_reader(BATCH_ROWS)
        if schema is None:
            return found

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in found:
                yield batch.cast(schema)

        return pa.RecordBatchReader.from_batches(schema, batches())
