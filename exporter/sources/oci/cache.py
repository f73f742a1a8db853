"""The cache: manifests and configs by digest, and what tags named, kept between runs.

Which indexes were whole is kept among the tags, under the digest: no tag can have such a name.

Content never changes under its digest, so a second night reads only what is new. Nothing depends on
the cache: what is missing, broken or cannot be read is read from the registry. So it may be deleted
at any time, and two runs may share it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from exporter.settings.oci import OFF
from exporter.sources.oci.store import IN_MEMORY_FIRST, NAME, Store, TagKey
from exporter.storage.opening import expanded
from exporter.storage.own_cache import own_cache

KEEP_RUNS = 30
"""An entry is dropped when so many runs in a row did not use it."""
MOST_BYTES = 2 * 1024**3
"""Beyond it, the entries that were not used for the longest go first."""
_MOST_WAITING, _MOST_WAITING_BYTES = 256, 4 * 1024**2
"""Entries, and their bytes, that wait to be written together."""
_LONGEST_WAIT = 0.1
"""Seconds after which the next entry does not wait: so little is lost by a kill."""

_ERRORS = (sqlite3.Error, ValueError, TypeError)
"""What a file may cause: an error of SQLite, or a value of a type that was never written."""
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BROKEN = (
    0,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
"""Codes that say that the file is no database of this program, whatever it once was."""

_T = TypeVar("_T")

_log = structlog.get_logger()


class Cache:
    """An open cache, for one thread. No method fails: without the file, it lasts for the run.

    With `run`, it is opened for a part of that run, by its number.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        keep_runs: int = KEEP_RUNS,
        most_bytes: int = MOST_BYTES,
        run: int | None = None,
    ) -> None:
        self._path = path
        self._part_of = run
        self._keep_runs, self._most_bytes = keep_runs, most_bytes
        self._is_full = False
        self._bodies: dict[str, bytes] = {}
        self._tags: dict[TagKey, str] = {}
        self._whole: dict[TagKey, str] = {}
        self._waiting_bytes = 0
        self._written_at = time.monotonic()
        self._used: set[str] = set()
        self._used_tags: set[TagKey] = set()
        self._store: Store | None = self._opened()

    def has(self, digest: str) -> bool:
        """Return whether there is content for a digest; `get` may find that it is broken."""
        if digest in self._bodies or digest in self._used:
            return True
        used = self._try(lambda store: store.used(digest))
        return self._note(self._used, digest, used)

    def get(self, digest: str) -> bytes | None:
        """Return content that has this digest, if it is there and whole."""
        if digest in self._bodies:
            return self._bodies[digest]
        found = self._try(lambda store: store.body(digest))
        if found is None:
            self._used.discard(digest)
            return None
        self._note(self._used, digest, found[1])
        return found[0]

    def put(self, digest: str, body: bytes) -> None:
        """Keep content under its digest."""
        self._bodies[digest] = body
        self._waiting_bytes += len(body)
        self._write_if_many()

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag named when it was last put; `repository` is a full name."""
        key = (repository, tag)
        if key in self._tags:
            return self._tags[key]
        found = self._try(lambda store: store.tag(key))
        if found is None:
            return None
        self._note(self._used_tags, key, found[1])
        return found[0]

    def put_tag(self, repository: str, tag: str, digest: str) -> None:
        """Keep the digest that a tag names."""
        self._tags[repository, tag] = digest
        self._write_if_many()

    @property
    def run(self) -> int:
        """A number that grows with each run on the same file."""
        return 0 if self._store is None else self._store.run

    def is_whole(self, repository: str, index: str) -> bool:
        """Return whether an earlier run found all that an index refers to, in a repository."""
        return self.tag(repository, index) == index

    def put_whole(self, repository: str, index: str, *, whole: bool) -> None:
        """Keep whether everything was found that an index refers to, once the cache is closed.

        A run that is killed and resumed must not take its own findings for those of another night.
        """
        self._whole[repository, index] = index if whole else ""

    def close(self) -> None:
        """Write what waits, drop what is old, and close the file; then nothing is kept or found."""
        self._tags.update(self._whole)
        self._write()
        if self._path is not None:
            self._try(lambda store: store.prune(self._keep_runs, self._most_bytes))
        if self._store is not None:
            self._store.close()
            self._store = None

    def _note(self, used: set[_T], key: _T, run: int | None) -> bool:
        """Remember the first use in this run; return whether there was anything to use."""
        if self._store is not None and run is not None and run < self._store.run:
            used.add(key)
            self._write_if_many()
        return run is not None

    def _write_if_many(self) -> None:
        waiting = len(self._bodies) + len(self._tags) + len(self._used) + len(self._used_tags)
        is_late = time.monotonic() - self._written_at >= _LONGEST_WAIT
        if is_late or waiting >= _MOST_WAITING or self._waiting_bytes >= _MOST_WAITING_BYTES:
            self._write()

    def _write(self) -> None:
        bodies, tags = self._bodies, self._tags
        used, used_tags = self._used, self._used_tags
        self._bodies, self._tags, self._used, self._used_tags = {}, {}, set(), set()
        self._waiting_bytes = 0
        if bodies or tags:
            self._try(lambda store: store.write(bodies, tags))
        if used or used_tags:
            self._try(lambda store: store.note_uses(used, used_tags))
        self._written_at = time.monotonic()

    def _try(self, work: Callable[[Store], _T]) -> _T | None:
        """Do something with the file; None where that fails, even with a new one."""
        for _ in range(2):
            if self._store is None:
                return None
            try:
                return work(self._store)
            except _ERRORS as error:
                if _code(error) in _BUSY:
                    return None
                if _code(error) == sqlite3.SQLITE_FULL:
                    self._note_full(error)
                    return None
                self._start_over(self._store, error)
        return None

    def _note_full(self, error: Exception) -> None:
        """Say once that the disk is full. What the file has stays, and may still be found."""
        if not self._is_full:
            self._is_full = True
            _log.warning("cache_lost", path=str(self._path), reason=str(error))

    def _start_over(self, store: Store, error: Exception) -> None:
        """Go on with a new file where this one is broken or was deleted."""
        _log.warning("cache_lost", path=str(self._path), reason=str(error))
        with suppress(sqlite3.Error):
            store.close()
        self._remove_broken(error)
        self._store = self._opened()

    def _opened(self) -> Store:
        if self._path is not None:
            for _ in range(2):
                try:
                    return Store(self._path, run=self._part_of)
                except (*_ERRORS, OSError) as error:
                    if self._remove_broken(error):
                        continue
                    _log.warning("cache_unusable", path=str(self._path), reason=str(error))
                    break
            self._path = None
        return Store(IN_MEMORY_FIRST, run=self._part_of)

    def _remove_broken(self, error: Exception) -> bool:
        """Remove the file if an error says that it is broken; return whether it did.

        Another run may have made a new one meanwhile; it notices, and makes a third.
        """
        if self._path is None or isinstance(error, OSError) or _code(error) not in _BROKEN:
            return False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return True


def open_cache(setting: str | None, *, run: int | None = None) -> Cache:
    """Open the cache that `oci.cache` names: a folder, by default the user's, or `off`.

    `run` is as for `Cache`. Raises `SettingsError` for a path that cannot be one.
    """
    return Cache(cache_file(setting), run=run)


def cache_file(setting: str | None) -> Path | None:
    """Return the file of the cache that `oci.cache` names; None where nothing is kept.

    Raises `SettingsError` for a path that cannot be one.
    """
    if setting == OFF:
        return None
    if setting:
        return expanded(Path(setting), "oci.cache") / NAME
    own = own_cache()
    return None if own is None else own / "oci" / NAME


def _code(error: Exception) -> int:
    """Return SQLite's primary code of an error; 0 where a value was none that can be."""
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code
