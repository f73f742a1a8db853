"""The cache's database: one SQLite file for content by digest, and for what tags named.

SQLite, not a file for each entry: 100,000 entries of 1.3 KB took a quarter of the CPU time to
write (1.9 s, not 7.0 s), and half of the disk (204 MB, not 410 MB); reading took three quarters.

Bodies are in a table of their own, so that noting a use does not write them again. The journal is
one that is rolled back, not a write-ahead log: SQLite then notices that the file was deleted, and
never touches the log of a new one. Nothing is synced: a killed process does no harm, and what a
power loss leaves broken is noticed.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = "content-1.sqlite"
"""The file in the cache's folder; the number is that of its tables."""
IN_MEMORY_FIRST = ""
"""A path that stands for a private database in memory, and on a disk where that is too small."""
_WAIT_SECONDS = 2.0
"""How long to wait for another process that writes; then it is as if there was nothing."""
_CHUNK = 1000
_MOST_PAGES = 10_000
"""Free pages that one run gives back to the disk; new entries take the others."""

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (number INTEGER);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, used INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tags (
    repository TEXT, tag TEXT, digest TEXT NOT NULL, proof BLOB NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
"""

TagKey = tuple[str, str]
"""A repository's full name, and a tag."""


class Store:
    """An open database; every method may raise `sqlite3.Error`. For one thread.

    With `read_only`, it is one that exists, and nothing in it changes. With `run`, it is opened as
    a part of that run, which may have other parts on this file.
    """

    def __init__(
        self, path: Path | str, *, read_only: bool = False, run: int | None = None
    ) -> None:
        if read_only:
            self.run = 0
            address = f"{Path(path).absolute().as_uri()}?mode=ro"
            self._database = sqlite3.connect(address, timeout=_WAIT_SECONDS, uri=True)
            return
        if path != IN_MEMORY_FIRST:
            _make_private(Path(path))
        self._database = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._database.execute("PRAGMA journal_mode = TRUNCATE")
            self._database.execute("PRAGMA synchronous = OFF")
            with self._transaction():
                for statement in _TABLES.split(";")[:-1]:
                    self._database.execute(statement)
                (last,) = self._one("SELECT coalesce(max(number), 0) FROM runs") or (0,)
                self.run = int(last) + 1 if run is None else max(int(last), run)
                self._database.execute("DELETE FROM runs")
                self._database.execute("INSERT INTO runs VALUES (?)", (self.run,))
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def used(self, digest: str) -> int | None:
        """Return in which run an entry was last used; None where there is none."""
        row = self._one("SELECT used FROM entries WHERE digest = ?", digest)
        return None if row is None else int(row[0])

    def body(self, digest: str) -> tuple[bytes, int] | None:
        """Return content that has this digest, and in which run it was last used.

        What has another digest by now is as good as missing.
        """
        row = self._one(
            "SELECT body, used FROM entries JOIN bodies USING (id) WHERE digest = ?", digest
        )
        if row is None or not isinstance(row[0], bytes) or not _has(row[0], digest):
            return None
        return row[0], int(row[1])

    def tag(self, key: TagKey) -> tuple[str, int] | None:
        """Return what a tag named, and in which run that was last used."""
        row = self._one(
            "SELECT digest, proof, used FROM tags WHERE repository = ? AND tag = ?", *key
        )
        if row is None or row[1] != _proof(key, row[0]):
            return None
        return str(row[0]), int(row[2])

    def write(self, bodies: Mapping[str, bytes], tags: Mapping[TagKey, str]) -> None:
        """Write content, and what tags name, all or nothing."""
        with self._transaction():
            for digest, body in bodies.items():
                (id_,) = self._one(
                    "INSERT INTO entries (digest, used) VALUES (?, ?) "
                    "ON CONFLICT (digest) DO UPDATE SET used = excluded.used RETURNING id",
                    digest,
                    self.run,
                ) or (None,)
                self._database.execute("REPLACE INTO bodies VALUES (?, ?)", (id_, body))
            self._database.executemany(
                "REPLACE INTO tags VALUES (?, ?, ?, ?, ?)",
                [(*key, digest, _proof(key, digest), self.run) for key, digest in tags.items()],
            )

    def note_uses(self, digests: Collection[str], tags: Collection[TagKey]) -> None:
        """Note that this run has used some entries."""
        with self._transaction():
            self._database.executemany(
                "UPDATE entries SET used = ? WHERE digest = ?", [(self.run, one) for one in digests]
            )
            self._database.executemany(
                "UPDATE tags SET used = ? WHERE repository = ? AND tag = ?",
                [(self.run, *key) for key in tags],
            )

    def prune(self, keep_runs: int, most_bytes: int) -> None:
        """Remove what the last `keep_runs` runs have not used; then the longest unused.

        At most `most_bytes` are left. Each step is short, for another run may wait.
        """
        with self._transaction():
            self._database.execute("DELETE FROM tags WHERE used <= ?", (self.run - keep_runs,))
        self._remove("used <= ?", self.run - keep_runs)
        while self._bytes() > most_bytes and self._remove_chunk("true"):
            pass
        self._database.execute(f"PRAGMA incremental_vacuum({_MOST_PAGES})").fetchall()

    def _remove(self, condition: str, *values: int) -> None:
        while self._remove_chunk(condition, *values):
            pass

    def _remove_chunk(self, condition: str, *values: int) -> bool:
        """Remove some of the entries of a condition, the longest unused first; False if none is."""
        with self._transaction():
            rows = self._database.execute(
                f"SELECT id FROM entries WHERE {condition} ORDER BY used LIMIT {_CHUNK}",  # noqa: S608
                values,
            ).fetchall()
            for table in ("entries", "bodies"):
                self._database.executemany(f"DELETE FROM {table} WHERE id = ?", rows)  # noqa: S608
        return bool(rows)

    def _bytes(self) -> int:
        """Return how much of the file is in use."""
        pages, free, size = (
            int((self._one(f"PRAGMA {name}") or (0,))[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._database.execute(query, values).fetchone()
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def _make_private(path: Path) -> None:
    """Make the file, and the folders around it, for nobody else to read; SQLite's others follow."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _has(body: bytes, digest: str) -> bool:
    algorithm, _, value = digest.partition(":")
    try:
        return hashlib.new(algorithm, body).hexdigest() == value
    except ValueError:
        return False


def _proof(key: TagKey, digest: object) -> bytes:
    """Return what tells whether what a tag named is as it was written."""
    return hashlib.sha256("\0".join((*key, str(digest))).encode()).digest()[:8]
