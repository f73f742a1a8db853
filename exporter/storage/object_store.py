"""An object store as a destination: S3 and Google Cloud Storage, through `stores`.

An object appears when its upload ends, so every write is atomic by itself.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, cast

from obstore.exceptions import BaseError

from exporter.errors import NoConditionsError, OutputError
from exporter.storage.access import Access
from exporter.storage.destination import Destination, Entry, Version
from exporter.storage.lease import NAME as LOCK
from exporter.storage.lease import leased
from exporter.storage.lock import Holder
from exporter.storage.os_errors import output_errors
from exporter.storage.store_errors import (
    is_missing,
    is_refused_condition,
    is_unknown_condition,
    store_errors,
)
from exporter.storage.stores import Store, open_store

if TYPE_CHECKING:
    from obstore import PutMode

_CHUNK = 8 * 1024 * 1024
_CHUNKS_AT_ONCE = 2
_READ_AHEAD = 1024 * 1024


class Bucket(Destination):
    """A prefix of a bucket; see `Destination`."""

    parallel = 8

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self._access = access
        self._scheme, _, place = url.partition("://")
        self._bucket, _, self._prefix = place.partition("/")
        self._quick: Store | None = None
        self._patient: Store | None = None
        self._opening = Lock()
        self._takes_conditions = True

    @property
    def identity(self) -> str:
        """See `Destination`; buckets of one name in two services are two places."""
        return f"{self.url} {self._access.endpoint or ''}".rstrip()

    def check_writable(self) -> None:
        """See `Destination`; the lock, which is taken next, shows whether it can be written.

        Buckets are not created. A test object would stay if the credentials may write, but not
        remove.
        """
        self.read_version(LOCK)

    def leased(
        self, holder: Holder, place: str | None, wait: float
    ) -> AbstractAsyncContextManager[None]:
        """See `Destination`."""
        return leased(self, holder, place, wait)

    def read(self, path: str) -> bytes | None:
        """See `Destination`."""
        return self.read_version(path).data

    def read_version(self, path: str) -> Version:
        """See `Destination`."""
        with self._errors(f"read {self.url}/{path}"):
            try:
                found = self._store.get(path)
                data = bytes(found.bytes())
            except (BaseError, FileNotFoundError) as error:
                if not is_missing(error):
                    raise
                self._answered()
                return Version(None)
            self._answered()
            return Version(data, {"e_tag": found.meta["e_tag"], "version": found.meta["version"]})

    def replace(self, path: str, data: bytes, read: Version) -> bool:
        """See `Destination`; without conditional writes, the current content is compared first."""
        self.confirm(path)
        if self._takes_conditions:
            return self.write_if(path, data, read) is not None
        if self.read(path) != read.data:
            return False
        self.write_atomically(path, data)
        return True

    def write_if(self, path: str, data: bytes, read: Version) -> Version | None:
        """Write an object if it is unchanged since it was read; the lock is not checked.

        Returns the new version, None if the object has changed. Raises `OutputError`, and
        `NoConditionsError` if the store says that it has no conditional writes.
        """
        mode: PutMode = "create"
        if read.data is not None:
            tags = cast("dict[str, str | None]", read.tag)
            mode = {"e_tag": tags["e_tag"] or ""}
            if tags["version"] is not None:
                mode["version"] = tags["version"]
        with self._errors(f"write {self.url}/{path}"):
            try:
                written = self._at_once.put(path, data, mode=mode)
            except (BaseError, FileNotFoundError) as error:
                if is_refused_condition(error):
                    return None
                if is_unknown_condition(error):
                    raise NoConditionsError(
                        f"Cannot write {self.url}/{path}: its service knows no conditional "
                        "writes; let no two runs write there at once."
                    ) from None
                raise
        return Version(data, {"e_tag": written["e_tag"], "version": written["version"]})

    def give_conditions_up(self) -> None:
        """Treat the store as one without conditional writes from now on."""
        self._takes_conditions = False

    def write_atomically(self, path: str, data: bytes) -> None:
        """See `Destination`."""
        self.confirm(path)
        with self._errors(f"write {self.url}/{path}"):
            self._store.put(path, data, use_multipart=False)

    def move_in(self, source: Path, path: str) -> None:
        """See `Destination`; the source stays, because the staging folder is removed as a whole."""
        self.confirm(path)
        with self._errors(f"write {self.url}/{path}"):
            self._store.put(path, source, chunk_size=_CHUNK, max_concurrency=_CHUNKS_AT_ONCE)

    def size(self, path: str) -> int | None:
        """See `Destination`."""
        with self._errors(f"read {self.url}/{path}"):
            try:
                return self._store.head(path)["size"]
            except (BaseError, FileNotFoundError) as error:
                if is_missing(error):
                    return None
                raise

    def list(self, prefix: str) -> list[Entry]:
        """See `Destination`."""
        with self._errors(f"read {self.url}/{prefix}"):
            entries = [
                Entry(found["path"], found["size"], found["last_modified"].timestamp())
                for chunk in self._store.list(prefix or None)
                for found in chunk
            ]
        self._answered()
        return sorted(entries, key=lambda entry: entry.path)

    def delete(self, path: str) -> None:
        """See `Destination`."""
        self.confirm(path)
        self.remove(path)

    def remove(self, path: str) -> None:
        """Remove an object; the lock is not checked, and a missing object is no error."""
        try:
            with self._errors(f"remove {self.url}/{path}"):
                try:
                    self._store.delete(path)
                except (BaseError, FileNotFoundError) as error:
                    if not is_missing(error):
                        raise
        except OutputError:
            # Without the right to remove, a store also refuses to remove a missing object.
            if self.size(path) is not None:
                raise

    @contextmanager
    def open_input(self, path: str) -> Iterator[BinaryIO]:
        """See `Destination`."""
        size = self.size(path)
        if size is None:
            raise OutputError(f"Cannot read {self.url}/{path}: there is no such object.")
        reading = partial(self._errors, f"read {self.url}/{path}")
        yield cast(
            "BinaryIO",
            io.BufferedReader(_Object(self._store, path, size, reading), _READ_AHEAD),
        )

    @contextmanager
    def fetched(self, path: str, working: Path) -> Iterator[Path]:
        """See `Destination`."""
        with tempfile.TemporaryDirectory(dir=working) as folder:
            local = Path(folder) / path.rpartition("/")[2]
            with self._errors(f"copy {self.url}/{path} to {folder}"), local.open("wb") as file:
                for chunk in self._store.get(path).stream(min_chunk_size=_READ_AHEAD):
                    file.write(chunk)
            yield local

    @property
    def _store(self) -> Store:
        return self._patient or self._at_once

    @property
    def _at_once(self) -> Store:
        """The store's client that gives up within half a minute."""
        with self._opening:
            if self._quick is None:
                self._quick = self._open(patient=False)
            return self._quick

    def _answered(self) -> None:
        """Retry for longer from now on: the bucket exists, and errors may be temporary."""
        with self._opening:
            if self._patient is None:
                self._patient = self._open(patient=True)

    def _open(self, *, patient: bool) -> Store:
        return open_store(self._scheme, self._bucket, self._prefix, self._access, patient=patient)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        with output_errors(doing), store_errors(doing, self._scheme, self._access):
            yield


class _Object(io.RawIOBase):
    """An object's bytes, read range by range; `reading` turns errors of each read into messages."""

    def __init__(
        self,
        store: Store,
        path: str,
        size: int,
        reading: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._store, self._path, self._size, self._place = store, path, size, 0
        self._reading = reading

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: it can be read from any position."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, counted from the beginning, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # it is always one
        """Fill a buffer as far as possible, and return the number of bytes."""
        end = min(self._size, self._place + len(buffer))
        if end <= self._place:
            return 0
        with self._reading():
            data = self._store.get_range(self._path, start=self._place, end=end)
        buffer[: len(data)] = memoryview(data)
        self._place += len(data)
        return len(data)
