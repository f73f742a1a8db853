"""The destination: where snapshots are published, one interface for a folder and for a bucket."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from exporter.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from exporter.storage.access import Access
    from exporter.storage.lock import Holder

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file would be larger than this process or file system allows",
    errno.EACCES: "permission is denied; give this user access or name another output.url",
    errno.EPERM: "permission is denied; give this user access or name another output.url",
    errno.EROFS: "the file system is read-only; mount it for writing or name another output.url",
    errno.ENOTDIR: "a file stands where a folder is needed; move it or name another output.url",
    errno.EEXIST: "a file stands where a folder is needed; move it or name another output.url",
    errno.EIO: "the disk reports an input/output error; check it before running again",
}


@dataclass(frozen=True)
class Entry:
    """A file of the destination: its path below the destination, its size in bytes."""

    path: str
    size: int


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

    @staticmethod
    def open(url: str, access: Access | None = None) -> Destination:
        """Return the destination at a path, `file://`, `s3://bucket/prefix` or `gs://`.

        `url` is one that the settings take, `access` how its bucket is reached. Nothing is touched
        yet. Raises `SettingsError` for a path that cannot be used.
        """
        _check_text(url, "output.url")
        scheme, separator, _ = url.partition("://")
        if not separator or scheme == "file":
            from exporter.storage.local import Folder  # noqa: PLC0415 - it builds on this

            return Folder(_local_path(url))
        # The object stores' library takes a moment to load, and a folder has no use for it.
        from exporter.storage.access import Access  # noqa: PLC0415
        from exporter.storage.object_store import Bucket  # noqa: PLC0415

        return Bucket(url.rstrip("/"), access or Access())

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


def _local_path(url: str) -> Path:
    if not url.startswith("file://"):
        return expanded(Path(url), "output.url")
    return Path(unquote(urlsplit(url).path))


def expanded(path: Path, name: str) -> Path:
    """Return a path with `~` filled in; `name` is the setting that it comes from.

    Raises `SettingsError` for a path that cannot be used.
    """
    try:
        whole = path.expanduser()
        _check_text(str(whole), name)
    except RuntimeError:
        raise SettingsError(
            f"{name} {path} begins with a home folder, and this user has none: write the whole "
            "path, or set HOME."
        ) from None
    return whole


def _check_text(path: str, name: str) -> None:
    """Refuse a path that neither the journal, nor Arrow, nor DuckDB can be told."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise SettingsError(
            f"{name} {shown} is not UTF-8 text: name a folder whose path is, or go there and name "
            "it from there."
        ) from None
    if "\0" in unquote(path):
        raise SettingsError(f"{name} has a zero byte in it, which no path can have.")


@contextmanager
def output_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that says what could not be done, and what to do.

    `doing` completes "Cannot …". PyArrow's file systems raise `OSError` as well, mostly
    without an error number and with a text of their own.
    """
    try:
        yield
    except OSError as error:
        known = _ADVICE.get(error.errno or 0)
        text = " ".join(str(error.strerror or error).split())
        raise OutputError(
            f"Cannot {doing}: {known or text + '; check that the place exists and may be used'}."
        ) from error
