"""The destination: where snapshots are published, one interface for a folder and for a bucket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    nullcontext,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from exporter.storage.lock import Holder


@dataclass(frozen=True)
class Entry:
    """A file of the destination: its path below the destination, its size in bytes.

    `changed_at` is when it was written or moved there, in seconds since 1970.
    """

    path: str
    size: int
    changed_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Version:
    """What a small file held when it was read, None where there was none.

    `tag` is what the place itself tells contents apart by, where it does.
    """

    data: bytes | None
    tag: object = None


class Destination(ABC):
    """A place that holds snapshots; paths are relative to it, with `/` between their segments.

    Every method raises `OutputError`, in one sentence, for what the place refuses. All of them
    may be called from several threads.
    """

    url: str
    """The place as it was named, for messages."""
    parallel: int = 1
    """How many files are worth moving at once: several where each waits for a network."""
    confirm: Callable[[str], None] = staticmethod(lambda _path: None)
    """Asked before each write, with its path; raises `LockedError` if the lock is held no more."""

    @property
    def identity(self) -> str:
        """The place's own name: two destinations have the same one if they are the same place.

        Raises `OutputError` where the place cannot be found.
        """
        return self.url

    @abstractmethod
    def check_writable(self) -> None:
        """Create the place if need be, and find out that it is there and may be written."""

    def leased(
        self, holder: Holder, place: str | None, wait: float
    ) -> AbstractAsyncContextManager[None]:
        """Hold what keeps out runs that the machine's lock does not, where the place has it.

        `place` is the same for two runs only if the machine's lock keeps them apart; `wait` is in
        seconds. Raises `LockedError` and `OutputError`.
        """
        return nullcontext()

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return a whole small file; None where there is none of that name."""

    @abstractmethod
    def read_version(self, path: str) -> Version:
        """Return what a small file holds, as `replace` wants to be told it."""

    @abstractmethod
    def replace(self, path: str, data: bytes, read: Version) -> bool:
        """Write a small file as `write_atomically` does, if it still is what was `read`.

        Returns False, and writes nothing, where it has changed since: read again, and decide anew.
        """

    @abstractmethod
    def write_atomically(self, path: str, data: bytes) -> None:
        """Write a small file durably; a reader sees what was there before, or all of it."""

    @abstractmethod
    def move_in(self, source: Path, path: str) -> None:
        """Move a local file to `path`, durably and at once; the source may be gone after it."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return a file's size in bytes; None where there is none of that name."""

    @abstractmethod
    def list(self, prefix: str) -> list[Entry]:
        """Return every file below the folder `prefix`, at any depth, by path."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file, and the folders it leaves empty; one that is gone is no error."""

    @abstractmethod
    def open_input(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading, seekable; a missing one is an `OutputError`."""

    @abstractmethod
    def fetched(self, path: str, working: Path) -> AbstractContextManager[Path]:
        """Give a file as a local one: itself, or a copy in `working` that goes away after."""
