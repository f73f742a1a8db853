"""A folder as a destination: files appear in it whole and durably, by renames.

Files get mode 0644 and folders 0755, or less by the umask: other users never write here.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from exporter.errors import OutputError
from exporter.links import broken_link
from exporter.storage.destination import Destination, Entry, Version
from exporter.storage.durable import fsync, make_folder, replace, restrict, sync
from exporter.storage.os_errors import output_errors

TEMPORARY = ".tmp"
"""The suffix of a file that is being written; its name begins with a dot."""


class Folder(Destination):
    """A local folder; see `Destination`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    @property
    def identity(self) -> str:
        """See `Destination`; the absolute path, without symbolic links."""
        with output_errors(f"find the output folder {self.root}"):
            return os.path.realpath(self.root)

    def check_writable(self) -> None:
        """See `Destination`."""
        link = broken_link(self.root)
        if link:
            raise OutputError(
                f"Cannot write to the output folder {self.root}: {link}; repair the link, or name "
                "another output.url."
            )
        # Unique to this call: containers that share a folder may have equal process ids.
        probe = f".writable-{_unique()}"
        with output_errors(f"write to the output folder {self.root}"):
            make_folder(self.root)
            self._write(self.root / probe, b"")
            (self.root / probe).unlink(missing_ok=True)

    def read(self, path: str) -> bytes | None:
        """See `Destination`."""
        with output_errors(f"read {self.root / path}"):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def read_version(self, path: str) -> Version:
        """See `Destination`."""
        return Version(self.read(path))

    def replace(self, path: str, data: bytes, read: Version) -> bool:
        """See `Destination`; the lock prevents changes in between."""
        if self.read(path) != read.data:
            return False
        self.write_atomically(path, data)
        return True

    def write_atomically(self, path: str, data: bytes) -> None:
        """See `Destination`."""
        with output_errors(f"write {self.root / path}"):
            make_folder((self.root / path).parent)
            self._write(self.root / path, data)

    def move_in(self, source: Path, path: str) -> None:
        """See `Destination`; a rename if source and folder share a file system."""
        target = self.root / path
        with output_errors(f"write {target}"):
            make_folder(target.parent)
            restrict(source, source.stat().st_mode & 0o644)
            fsync(source)
            try:
                replace(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with source.open("rb") as whole:
                    self._write(target, whole)
                source.unlink()
            fsync(target.parent)

    def size(self, path: str) -> int | None:
        """See `Destination`."""
        with output_errors(f"read {self.root / path}"):
            try:
                return (self.root / path).stat().st_size
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[Entry]:
        """See `Destination`; temporary files of a killed run are included."""
        with output_errors(f"read {self.root / prefix}"):
            return sorted(
                (
                    _entry(path, self.root)
                    for path in (self.root / prefix).rglob("*")
                    if path.is_file()
                ),
                key=lambda entry: entry.path,
            )

    def delete(self, path: str) -> None:
        """See `Destination`."""
        target = self.root / path
        with output_errors(f"remove {target}"):
            target.unlink(missing_ok=True)
            for folder in target.parents:
                if folder == self.root:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    # Not empty, or gone already: either way, nothing above it is to be removed.
                    break

    @contextmanager
    def open_input(self, path: str) -> Iterator[BinaryIO]:
        """See `Destination`."""
        with output_errors(f"read {self.root / path}"), (self.root / path).open("rb") as file:
            yield file

    @contextmanager
    def fetched(self, path: str, working: Path) -> Iterator[Path]:
        """See `Destination`."""
        if self.size(path) is None:
            raise OutputError(f"Cannot read {self.root / path}: there is no such file.")
        yield self.root / path

    def _write(self, target: Path, content: bytes | BinaryIO) -> None:
        temporary = target.with_name(f".{target.name}.{_unique()}{TEMPORARY}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                sync(file.fileno())
            replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        fsync(target.parent)


def _unique() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


def _entry(path: Path, root: Path) -> Entry:
    status = path.stat()
    # A move changes only the second of the two.
    changed_at = max(status.st_mtime, status.st_ctime)
    return Entry(path.relative_to(root).as_posix(), status.st_size, changed_at)
