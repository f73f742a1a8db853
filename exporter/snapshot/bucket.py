"""An object store as a destination, through PyArrow's file systems: S3 and Google Cloud Storage.

An object appears when its upload ends, so every write is atomic by itself. Every stream is opened
with `compression=None`: left to itself, PyArrow compresses what goes to a name with `.gz` again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from exporter.errors import SettingsError
from exporter.snapshot.destination import Destination, Entry, output_errors

_CHUNK = 8 * 1024 * 1024


def open_s3() -> fs.FileSystem:
    """Return S3 as the AWS environment variables and files describe it.

    `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`, names another service (Nebius and Yandex
    Object Storage, MinIO); buckets are then addressed by path. Raises `SettingsError`.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return fs.S3FileSystem(connect_timeout=10, request_timeout=60)
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SettingsError("AWS_ENDPOINT_URL is not a URL such as https://storage.example.net.")
    return fs.S3FileSystem(
        scheme=parts.scheme,
        endpoint_override=parts.netloc,
        # Without a region the SDK asks the metadata service of a machine that may have none.
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        connect_timeout=10,
        request_timeout=60,
    )


def open_gs() -> fs.FileSystem:
    """Return Google Cloud Storage with the application default credentials."""
    # Its own default goes on retrying for a quarter of an hour before it says a word.
    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=60))


class Bucket(Destination):
    """A prefix of a bucket; see `Destination`."""

    parallel = 8

    def __init__(self, url: str, files: fs.FileSystem, root: str) -> None:
        self.url = url
        self._files = files
        self._root = root.rstrip("/")

    def check_writable(self) -> None:
        """See `Destination`; buckets are not created."""
        probe = f"{self._root}/.writable-{os.getpid()}"
        with output_errors(f"write to {self.url}"):
            with self._files.open_output_stream(probe, compression=None) as stream:
                stream.write(b"writable\n")
            self._files.delete_file(probe)

    def read(self, path: str) -> bytes | None:
        """See `Destination`."""
        with output_errors(f"read {self.url}/{path}"):
            try:
                with self._files.open_input_stream(self._at(path), compression=None) as stream:
                    return cast("bytes", stream.read())
            except FileNotFoundError:
                return None

    def write_atomically(self, path: str, data: bytes) -> None:
        """See `Destination`."""
        with (
            output_errors(f"write {self.url}/{path}"),
            self._files.open_output_stream(self._at(path), compression=None) as stream,
        ):
            stream.write(data)

    def move_in(self, source: Path, path: str) -> None:
        """See `Destination`; the source stays, for the staging folder goes as a whole."""
        with (
            output_errors(f"write {self.url}/{path}"),
            source.open("rb") as file,
            self._files.open_output_stream(self._at(path), compression=None) as stream,
        ):
            while chunk := file.read(_CHUNK):
                stream.write(chunk)

    def size(self, path: str) -> int | None:
        """See `Destination`."""
        with output_errors(f"read {self.url}/{path}"):
            info = self._files.get_file_info(self._at(path))
        return cast("int", info.size) if info.type == fs.FileType.File else None

    def list(self, prefix: str) -> list[Entry]:
        """See `Destination`."""
        selector = fs.FileSelector(self._at(prefix), recursive=True, allow_not_found=True)
        with output_errors(f"read {self.url}/{prefix}"):
            infos = self._files.get_file_info(selector)
        return sorted(
            (
                Entry(info.path.removeprefix(f"{self._root}/"), info.size)
                for info in infos
                if info.type == fs.FileType.File
            ),
            key=lambda entry: entry.path,
        )

    def delete(self, path: str) -> None:
        """See `Destination`; an empty snapshot's folder is a marker object, and goes as well."""
        folder = self._at(path.rpartition("/")[0])
        with output_errors(f"remove {self.url}/{path}"):
            try:
                self._files.delete_file(self._at(path))
            except FileNotFoundError:
                return
            # PyArrow puts a marker where the last file of a folder was, and readers would take
            # it for an empty partition. Other folders keep theirs: this removes whatever has
            # come into the folder meanwhile, which only a snapshot's own folder is safe from.
            if "/snapshot_id=" in folder and not self._files.get_file_info(
                fs.FileSelector(folder, allow_not_found=True)
            ):
                self._files.delete_dir(folder)

    @contextmanager
    def open_input(self, path: str) -> Iterator[BinaryIO]:
        """See `Destination`."""
        with (
            output_errors(f"read {self.url}/{path}"),
            self._files.open_input_file(self._at(path)) as file,
        ):
            yield cast("BinaryIO", file)

    @contextmanager
    def fetched(self, path: str, working: Path) -> Iterator[Path]:
        """See `Destination`."""
        with tempfile.TemporaryDirectory(dir=working) as folder:
            local = Path(folder) / path.rpartition("/")[2]
            with output_errors(f"copy {self.url}/{path} to {folder}"):
                pa.fs.copy_files(
                    self._at(path),
                    str(local),
                    source_filesystem=self._files,
                    destination_filesystem=fs.LocalFileSystem(),
                )
            yield local

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")
