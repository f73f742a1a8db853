"""The journal: which pages are durably staged, and which of them are in finished parts.

A SQLite database beside the staged files, and a spool. The spool has the compressed bodies of pages
whose rows are only in a part that is still open. A run that is killed at any point can be resumed:

- A page is *kept* once its body is in the spool and its row in the journal, both fsynced.
- A page is *sealed* once the parts that hold its rows are closed, fsynced and named here; its
  body is then dropped, unless the run needs its items to know what to ask next.
- A part that is not named here was open when the run ended, and is deleted. The pages whose rows
  were in it are decoded again from the spool.
- A note of the source is written before any page that relies on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa

from exporter.errors import LostStagingError, OutputError
from exporter.page import Note, StoredPage
from exporter.staging.layout import StagedFile
from exporter.staging.parquet import FULL, output_errors
from exporter.storage.durable import fsync
from exporter.wording import switch

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    key TEXT PRIMARY KEY, summary BLOB NOT NULL, generation INTEGER,
    body BLOB, spool INTEGER, start INTEGER, packed INTEGER, length INTEGER
);
CREATE INDEX IF NOT EXISTS pages_by_generation ON pages (generation);
CREATE TABLE IF NOT EXISTS notes (
    scope TEXT, item TEXT, decision TEXT, PRIMARY KEY (scope, item, decision)
);
CREATE TABLE IF NOT EXISTS parts (
    table_name TEXT, number INTEGER, rows INTEGER, PRIMARY KEY (table_name, number)
);
CREATE TABLE IF NOT EXISTS sealed (generation INTEGER PRIMARY KEY);
"""

NAME = "journal.sqlite"
FORMAT = 6
"""Raised whenever older journals, or the notes and summaries in them, become unreadable."""

_CODEC = pa.Codec("zstd", compression_level=-5)
"""Compresses the spooled bodies: this takes less than half the time of writing them as they are."""


class Journal:
    """The journal of one staging folder. All methods belong to one thread, `stored` to any."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        with journal_errors(staging):
            self._database = _connect(staging / NAME)
            # In one transaction, because each is made durable.
            self._database.executescript(f"BEGIN; PRAGMA user_version = {FORMAT}; {_SCHEMA} COMMIT")
            self._reader = _connect(staging / NAME)
            known = self._database.execute("SELECT coalesce(max(generation), -1) FROM sealed")
            self.generation = int(known.fetchone()[0]) + 1
            # Rows of unsealed generations were in parts that were never closed.
            self._database.execute(
                "UPDATE pages SET generation = NULL "
                "WHERE generation NOT IN (SELECT generation FROM sealed)"
            )
            self._database.commit()
            self.kept_before = int(
                self._database.execute("SELECT count(*) FROM pages").fetchone()[0]
            )
        with journal_errors(staging):
            self._spool_number = self._free_spool()
            self._spool = self._open_spool(self._spool_number)
        self.spooled_bytes = 0
        self.dirty = False

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit what can be committed, and close."""
        try:
            if self.dirty and not isinstance(error, OutputError):
                self.commit()
        finally:
            self._database.close()
            self._reader.close()
            with suppress(OSError):  # What could not be written has been told of.
                self._spool.close()

    def meta(self) -> dict[str, str]:
        """Return the run's metadata by name."""
        with journal_errors(self._staging):
            return dict(self._database.execute("SELECT name, value FROM meta").fetchall())

    def set_meta(self, **values: str) -> None:
        """Write metadata of the run, durably."""
        with journal_errors(self._staging):
            self._database.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())
            self._database.commit()

    def stored(self, key: str) -> StoredPage | None:
        """Return the page that an earlier attempt kept under `key`, if there is one."""
        if not self.kept_before:
            return None
        with journal_errors(self._staging):
            row = self._reader.execute(
                "SELECT summary, body, spool, start, packed, length, generation "
                "FROM pages WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        summary, body, spool, start, packed, length, generation = row
        if body is None and spool is not None:
            with output_errors(self._staging), self._spool_path(spool).open("rb") as file:
                file.seek(start)
                body = _CODEC.decompress(file.read(packed), length, asbytes=True)
        return StoredPage(summary, body, sealed=generation is not None)

    def keep(self, key: str, summary: bytes, body: bytes, *, inline: bool) -> None:
        """Keep a page; `inline` if its body is needed until the end of the run.

        It is durable after the next `commit`. A page that is kept again moves to the open
        generation; its body stays where it is.
        """
        with journal_errors(self._staging):
            moved = self._database.execute(
                "UPDATE pages SET generation = ?, summary = ? WHERE key = ?",
                (self.generation, summary, key),
            ).rowcount
            if not moved and inline:
                self._database.execute(
                    "INSERT INTO pages (key, summary, generation, body) VALUES (?, ?, ?, ?)",
                    (key, summary, self.generation, body),
                )
            elif not moved:
                start = self._spool.tell()
                packed = self._spool.write(_CODEC.compress(body))
                self.spooled_bytes += packed
                self._database.execute(
                    "INSERT INTO pages (key, summary, generation, spool, start, packed, length) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (key, summary, self.generation, self._spool_number, start, packed, len(body)),
                )
        self.dirty = True

    def add_note(self, note: Note) -> None:
        """Keep a note; it becomes durable before any page kept later."""
        with journal_errors(self._staging):
            self._database.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?)", note)
        self.dirty = True

    def notes(self) -> dict[str, frozenset[Note]]:
        """Return all notes, by scope."""
        notes: dict[str, set[Note]] = {}
        with journal_errors(self._staging):
            for row in self._database.execute("SELECT scope, item, decision FROM notes"):
                notes.setdefault(row[0], set()).add(Note(*row))
        return {scope: frozenset(made) for scope, made in notes.items()}

    def commit(self) -> None:
        """Make everything kept so far durable: the bodies first, then the rows that name them."""
        with journal_errors(self._staging):
            self._spool.flush()
            fsync(self._spool_path(self._spool_number))
            self._database.commit()
        self.dirty = False

    def seal(self, parts: Iterable[StagedFile]) -> None:
        """Name the finished parts of the open generation, drop its bodies, begin the next."""
        rows = [(part.table, _number(part.path), part.rows) for part in parts]
        with journal_errors(self._staging):
            self._database.executemany("INSERT INTO parts VALUES (?, ?, ?)", rows)
            self._database.execute("INSERT INTO sealed VALUES (?)", (self.generation,))
            self._database.execute(
                "UPDATE pages SET spool = NULL WHERE generation = ?", (self.generation,)
            )
            # No row names a body in the open spool any more, so it need not reach the disk.
            self._database.commit()
            self.dirty = False
            number = self._spool_number + 1
            before, self._spool = self._spool, self._open_spool(number)
            self._spool_number = number
            before.close()
            self._drop_spools()
        self.generation += 1
        self.spooled_bytes = 0

    def parts(self) -> list[tuple[str, int, int]]:
        """Return the finished parts: table, number, rows."""
        with journal_errors(self._staging):
            return self._database.execute(
                "SELECT table_name, number, rows FROM parts ORDER BY table_name, number"
            ).fetchall()

    def _drop_spools(self) -> None:
        used = {row[0] for row in self._database.execute("SELECT DISTINCT spool FROM pages")}
        for path in self._staging.glob("spool-*"):
            number = int(path.name.partition("-")[2])
            if number != self._spool_number and number not in used:
                path.unlink()

    def _free_spool(self) -> int:
        numbers = [int(path.name.partition("-")[2]) for path in self._staging.glob("spool-*")]
        return max(numbers, default=-1) + 1

    def _open_spool(self, number: int) -> BinaryIO:
        spool = self._spool_path(number).open("ab")
        try:
            fsync(self._staging)
        except BaseException:
            spool.close()
            raise
        return spool

    def _spool_path(self, number: int) -> Path:
        return self._staging / f"spool-{number}"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _number(path: Path) -> int:
    return int(path.name.partition(".")[0].removeprefix("part-"))


@contextmanager
def journal_errors(place: Path) -> Iterator[None]:
    """Turn the database's errors, a full disk above all, into `OutputError`."""
    try:
        with output_errors(place):
            yield
    except sqlite3.Error as error:
        if is_broken(error):
            raise LostStagingError(
                f"The journal below {place} is broken ({error}): start the snapshot over with "
                f"{switch('fresh')}."
            ) from error
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            # Also if a file has reached its size limit.
            raise OutputError(f"Cannot write below {place}: {FULL}.") from error
        raise OutputError(
            f"The journal below {place} cannot be used: {error}; check that its disk has space and "
            "may be written, or name another folder in output.staging."
        ) from error


def is_broken(error: sqlite3.Error) -> bool:
    """Return whether an error means that a file is not a sound database: it cannot be resumed."""
    name: str = getattr(error, "sqlite_errorname", "")
    # A table that is missing has no name of its own.
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or name == "SQLITE_ERROR"
