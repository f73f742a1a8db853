"""The destination of snapshots: one interface for a folder and for a bucket."""

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
    """The content of a small file when it was read, None if there was none.

    `tag` is the version that the destination itself gives the content, if it does.
    """

    data: bytes | None
    tag: object = None


class Destination(ABC):
    """A place for snapshots; paths are relative to it, with `/` between their segments.

    Every method raises `OutputError`, in one sentence, if the destination refuses it. All of them
    may be called from several threads.
    """

    url: str
    """The place as it was named, for messages."""
    parallel: int = 1
    """How many files to move at once: several if each waits for a network."""
    confirm: Callable[[str], None] = staticmethod(lambda _path: None)
    """Called before each write with its path; raises `LockedError` if the lock is lost."""

    @property
    def identity(self) -> str:
        """A name of the place: equal for two destinations if they are the same place.

        Raises `OutputError` if the place cannot be found.
        """
        return self.url

    @abstractmethod
    def check_writable(self) -> None:
        """Create the place if necessary, and check that it exists and can be written."""

    def leased(
        self, holder: Holder, place: str | None, wait: float
    ) -> AbstractAsyncContextManager[None]:
        """Hold the destination's own lock against other machines, if it has one.

        `place` is equal for two runs only if the machine's lock keeps them apart; `wait` is in
        seconds. Raises `LockedError` and `OutputError`.
        """
        return nullcontext()

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return a whole small file; None if there is none of that name."""

    @abstractmethod
    def read_version(self, path: str) -> Version:
        """Return the content of a small file, to give to `replace`."""

    @abstractmethod
    def replace(self, path: str, data: bytes, read: Version) -> bool:
        """Write a small file as `write_atomically` does, if it is unchanged since `read`.

        Returns False, and writes nothing, if it has changed: read it again, and decide again.
        """

    @abstractmethod
    def write_atomically(self, path: str, data: bytes) -> None:
        """Write a small file durably; a reader sees the old content, or all of the new."""

    @abstractmethod
    def move_in(self, source: Path, path: str) -> None:
        """Move a local file to `path`, durably and at once; the source may be gone after it."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return a file's size in bytes; None if there is none of that name."""

    @abstractmethod
    def list(self, prefix: str) -> list[Entry]:
        """Return every file below the folder `prefix`, at any depth, by path."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file, and the folders it leaves empty; a missing file is no error."""

    @abstractmethod
    def open_input(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading, seekable; a missing one is an `OutputError`."""

    @abstractmethod
    def fetched(self, path: str, working: Path) -> AbstractContextManager[Path]:
        """Give a file as a local one: itself, or a copy in `working` that is removed afterwards."""
