"""An answer that stays in DuckDB: its rows are streamed until it is closed."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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
