"""Manifests and configs by digest, kept between runs: they never change under their digest."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from pathlib import Path


class Cache:
    """A stand-in."""

    def __init__(self, folder: Path, temporary: tempfile.TemporaryDirectory[str] | None) -> None:
        self._temporary = temporary
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "cache.sqlite", timeout=60, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(
            "CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, body BLOB);"
            "CREATE TABLE IF NOT EXISTS tags (repository TEXT, tag TEXT, digest TEXT,"
            " PRIMARY KEY (repository, tag));"
        )

    def has(self, digest: str) -> bool:
        """Return whether content is there."""
        query = "SELECT 1 FROM blobs WHERE digest = ?"
        return self._database.execute(query, (digest,)).fetchone() is not None

    def get(self, digest: str) -> bytes | None:
        """Return content by its digest."""
        query = "SELECT body FROM blobs WHERE digest = ?"
        row = self._database.execute(query, (digest,)).fetchone()
        if row is None:
            return None
        algorithm, _, value = digest.partition(":")
        body: bytes = row[0]
        return body if hashlib.new(algorithm, body).hexdigest() == value else None

    def put(self, digest: str, body: bytes) -> None:
        """Keep content."""
        self._database.execute("REPLACE INTO blobs VALUES (?, ?)", (digest, body))

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag named when it was last read."""
        query = "SELECT digest FROM tags WHERE repository = ? AND tag = ?"
        row = self._database.execute(query, (repository, tag)).fetchone()
        return None if row is None else str(row[0])

    def put_tag(self, repository: str, tag: str, digest: str) -> None:
        """Keep what a tag names."""
        self._database.execute("REPLACE INTO tags VALUES (?, ?, ?)", (repository, tag, digest))

    def close(self) -> None:
        """Close it."""
        self._database.close()
        if self._temporary is not None:
            self._temporary.cleanup()


def open_cache(setting: str | None) -> Cache:
    """Open the cache that `oci.cache` names."""
    if setting == "off":
        temporary = tempfile.TemporaryDirectory(prefix="registry-exporter-")
        return Cache(Path(temporary.name), temporary)
    return Cache(Path(setting or "~/.cache/registry-exporter/oci").expanduser(), None)
