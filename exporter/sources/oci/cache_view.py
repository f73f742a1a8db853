"""The cache as it is, for a look that changes nothing: no file is made, no use is noted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from exporter.sources.oci.cache import cache_file
from exporter.sources.oci.store import Store

_T = TypeVar("_T")


class CacheView:
    """What is cached; a context manager. What cannot be read is as good as missing."""

    def __init__(self, setting: str | None) -> None:
        """Open the cache that `oci.cache` names, if there is one."""
        path = cache_file(setting)
        self._store: Store | None = None
        if path is not None and path.is_file():
            try:
                self._store = Store(path, read_only=True)
            except sqlite3.Error:
                self._store = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def has(self, digest: str) -> bool:
        """Return whether there is content for a digest."""
        return self._read(lambda store: store.used(digest)) is not None

    def body(self, digest: str) -> bytes | None:
        """Return content that has this digest."""
        found = self._read(lambda store: store.body(digest))
        return None if found is None else found[0]

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag named when it was last read."""
        found = self._read(lambda store: store.tag((repository, tag)))
        return None if found is None else found[0]

    def is_whole(self, repository: str, index: str) -> bool:
        """Return whether an earlier run found all that an index refers to, in a repository."""
        return self.tag(repository, index) == index

    def _read(self, what: Callable[[Store], _T | None]) -> _T | None:
        if self._store is None:
            return None
        try:
            return what(self._store)
        except (sqlite3.Error, ValueError, TypeError):
            return None
