"""The interface of the store for the engine's pages and a source's notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlencode

import pyarrow as pa

from exporter.http.types import Call
from exporter.page import Note, PageKey, StoredPage


@lru_cache(maxsize=1024)
def key_of(call: Call, attempt: int = 0) -> PageKey:
    """Return the key of the page that a call asks for.

    `attempt` tells apart the pages of a listing that had to begin again.
    """
    return PageKey(f"{call.service}{call.path}?{urlencode(sorted(call.params))}#{attempt}")


class PageStore(Protocol):
    """A store for pages and notes, such as `staging.stage.Stage`."""

    @property
    def kept_before(self) -> int:
        """How many pages earlier attempts kept."""
        ...

    def stored(self, key: PageKey) -> StoredPage | None:
        """Return the page that an earlier attempt stored under a key."""
        ...

    async def keep(
        self,
        key: PageKey,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = ...,
    ) -> None:
        """Store a page, and call `written` in the event loop once it is written."""
        ...

    def add_note(self, note: Note) -> None:
        """Store a note, durably before any page that is stored later."""
        ...

    def notes(self, scope: str) -> frozenset[Note]:
        """Return the notes that earlier attempts made on a scope."""
        ...


class NullPageStore:
    """The store of a run that publishes nothing: it stores nothing, and has nothing."""

    kept_before = 0

    def stored(self, key: PageKey) -> None:
        """Return nothing."""

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
        """Let the page go."""
        written()

    def add_note(self, note: Note) -> None:
        """Let the note go."""

    def notes(self, scope: str) -> frozenset[Note]:
        """Return nothing."""
        return frozenset()
