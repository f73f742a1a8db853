"""A snapshot's files, checked against its manifest, and copied to this machine if necessary.

Copies and conversions go to one temporary folder, which is removed at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from exporter.errors import ExporterError, IntegrityError, OutputError
from exporter.leftovers import removed_at_once
from exporter.snapshots.manifest import File, Manifest
from exporter.snapshots.manifests import read_manifest
from exporter.snapshots.publication import hash_file
from exporter.sql.engine import first_line
from exporter.sql.memory import limit_for_readers
from exporter.sql.ndjson import open_spilling, write_as_parquet
from exporter.storage.destination import Destination
from exporter.storage.local import Folder
from exporter.storage.os_errors import output_errors
from exporter.tables.schemas import TABLES


class SnapshotFiles:
    """The files of a snapshot, as its manifest describes them.

    Methods raise `IntegrityError` for a file that differs from the manifest, and `OutputError` for
    one that cannot be read.
    """

    def __init__(self, destination: Destination, manifest: Manifest) -> None:
        self._destination = destination
        self._manifest = manifest
        self._open = ExitStack()
        self._working: Path | None = None

    def close(self) -> None:
        """Close what is open and remove the copies; a second call does nothing."""
        self._working = None
        self._open.close()

    @property
    def folder(self) -> Path | None:
        """The output's folder on this machine; None for a bucket."""
        return self._destination.root if isinstance(self._destination, Folder) else None

    def check_sizes(self, files: Iterable[File]) -> None:
        """Check that each file exists and has the size that the manifest states."""
        for file in files:
            size = self._destination.size(file.path)
            if size is None:
                raise self.broken(file, "is missing")
            if size != file.bytes:
                raise self.broken(file, f"has {size} bytes, and the manifest says {file.bytes}")

    def check_sums(self, files: Iterable[File]) -> None:
        """Read each file and check its SHA-256."""
        for file in files:
            self._check_sum(file, hash_file(self._destination, file.path))

    def opened(self, file: File) -> BinaryIO:
        """Open a file in place, until `close`; from a bucket, ranges are read."""
        return self._open.enter_context(self._destination.open_input(file.path))

    def local(self, file: File) -> Path:
        """Return a file on this machine: itself, or a copy with the manifest's SHA-256."""
        return self._open.enter_context(self._fetched(file))

    @contextmanager
    def checked(self, table: str, file: File) -> Iterator[Path]:
        """Give a file of a table as a local Parquet file for a block, after a check of its SHA-256.

        It is the file itself, or a copy, or made from NDJSON, which are removed after the block.
        """
        if self.folder is not None:
            self.check_sums([file])
        if file.format == "parquet":
            with self._fetched(file) as path:
                yield path
            return
        (path,) = self.converted(table, [file])
        yield path
        path.unlink(missing_ok=True)

    def converted(self, table: str, files: Iterable[File]) -> list[Path]:
        """Return Parquet files made from a table's NDJSON files; the order of rows is undefined."""
        if table not in TABLES:
            raise ExporterError(
                f"The table {table} of snapshot {self._manifest.snapshot_id} has NDJSON files "
                "alone and is newer than this program: use a newer registry-exporter."
            )
        made = []
        # As in a published path, so that a reader of several snapshots can tell them apart.
        folder = self._folder() / f"snapshot_id={self._manifest.snapshot_id}"
        folder.mkdir(exist_ok=True)
        for number, file in enumerate(files):
            parquet = folder / f"{table}-{number}.parquet"
            with self._fetched(file) as lines:
                self._convert(table, file, lines, parquet)
            made.append(parquet)
        return made

    def broken(self, file: File, what: str) -> IntegrityError:
        """Return the error that says how a file differs from the manifest."""
        return IntegrityError(f"{self._destination.url}/{file.path} {what}: {self.advice()}.")

    def advice(self) -> str:
        """Return what to do about a snapshot that differs from its manifest, as a clause."""
        snapshot_id = self._manifest.snapshot_id
        with suppress(IntegrityError):
            now = read_manifest(self._destination, snapshot_id)
            if now is None:
                return f"snapshot {snapshot_id} was removed since it was opened"
            if now != self._manifest:
                return f"snapshot {snapshot_id} was replaced since it was opened; open it again"
        return f"`registry-exporter verify {snapshot_id}` tells what else is wrong"

    @contextmanager
    def _fetched(self, file: File) -> Iterator[Path]:
        if self.folder is not None:
            yield self.folder / file.path
            return
        with self._destination.fetched(file.path, self._folder()) as copy:
            self._check_sum(file, hash_file(Folder(copy.parent), copy.name))
            yield copy

    def _check_sum(self, file: File, found: str) -> None:
        if found != file.sha256:
            raise self.broken(file, "has another SHA-256 than the manifest says")

    def _convert(self, table: str, file: File, lines: Path, parquet: Path) -> None:
        import duckdb  # noqa: PLC0415  (its import takes long, and Parquet is read without it)

        working = self._folder()
        columns = {column.name for column in self._manifest.tables[table].columns}
        with output_errors(f"work in {working}"):
            try:
                with open_spilling(working, limit_for_readers()) as connection:
                    write_as_parquet(connection, table, columns, lines, parquet)
            except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
                raise OutputError(f"Cannot read {file.path}: {first_line(error)}.") from error
            except duckdb.Error as error:
                raise self.broken(file, f"cannot be read ({first_line(error)})") from error

    def _folder(self) -> Path:
        if self._working is None:
            self._working = Path(self._open.enter_context(temporary_folder()))
        return self._working


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Make a folder that is removed after the block; raises `OutputError` if that is impossible."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="registry-exporter-")
    except OSError as error:
        raise OutputError(
            f"There is no place for temporary files ({error.strerror}): name a folder that can be "
            "written in TMPDIR."
        ) from None
    with folder as working, removed_at_once(Path(working)):
        yield working
