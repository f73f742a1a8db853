"""What the crawl needs of the place where its pages are kept; `snapshot.Stage` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import pyarrow as pa


class StoredPage(Protocol):
    """A page of an earlier attempt: see `snapshot.journal.JournalPage`."""

    @property
    def summary(self) -> bytes:
        """What was written down about the page."""
        ...

    @property
    def body(self) -> bytes | None:
        """The page's body, where it is still held."""
        ...

    @property
    def sealed(self) -> bool:
        """Whether the page's rows are durably in a finished part."""
        ...


class PageStore(Protocol):
    """Where pages are kept: `snapshot.stage.Stage`, as the crawl needs it."""

    def stored(self, key: str) -> StoredPage | None:
        """Return the page an earlier attempt kept under `key`."""
        ...

    async def keep(
        self,
        key: str,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = ...,
    ) -> None:
        """Take a page over, and call `written` in the event loop once it is written."""
        ...

    def note_decision(self, registry_id: str, repository_name: str, mode: str) -> None:
        """Note, before all pages handed over later, how a repository is listed beside the front."""
        ...

    def decisions(self) -> dict[str, list[tuple[str, str]]]:
        """Return the claims of earlier attempts, by registry: repository and mode."""
        ...


class NullPageStore:
    """A keeper for runs that only look: nothing is kept, nothing is recalled."""

    def stored(self, key: str) -> None:
        """Return nothing."""

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
        """Let the page go."""
        written()

    def note_decision(self, registry_id: str, repository_name: str, mode: str) -> None:
        """Note nothing."""

    def decisions(self) -> dict[str, list[tuple[str, str]]]:
        """Return nothing."""
        return {}
