"""Verification of files: whether a published snapshot equals its manifest, byte for byte."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.errors import OutputError
from exporter.snapshots.catalog import snapshot_files
from exporter.snapshots.layout import manifest_path
from exporter.snapshots.manifest import (
    Column,
    File,
    Manifest,
    TableEntry,
    columns_of,
    plain_row,
    sha256,
)
from exporter.storage.destination import Destination
from exporter.tables.schemas import COMPLETE_STATUSES, tables_in
from exporter.wording import number

# A chunk of gzip text grows at most a thousandfold, which bounds the memory for it.
_CHUNK = 64 * 1024
_GZIP = 31


@dataclass(frozen=True)
class Problem:
    """One difference from the manifest: the file or table, and a clause that says what is wrong.

    As a text it is both: `images: has 2 rows with the key i1`.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def verify_files(destination: Destination, manifest: Manifest) -> list[Problem]:
    """Check the manifest's own checksum, and each file: its presence, size, SHA-256 and rows.

    The manifest must name files of every table in each of its formats. Parquet files must have the
    manifest's columns, and no other files may lie beside them. Memory is bounded by a chunk of each
    file. Returns the problems, file by file; an unreadable file is a problem, not an error.
    """
    checks = [(file, entry) for entry in manifest.tables.values() for file in entry.files]
    with ThreadPoolExecutor(destination.parallel) as pool:
        found = pool.map(lambda check: _check_file(destination, *check), checks)
        problems = [problem for of_one in found for problem in of_one]
    return [
        *_check_manifest(destination, manifest),
        *_missing_tables(manifest),
        *problems,
        *_strays(destination, manifest),
    ]


def verify_statements(manifest: Manifest, parts: Mapping[str, Sequence[Path]]) -> list[Problem]:
    """Compare the manifest's status, totals and coverage with the tables that they come from.

    `parts` are the local Parquet files of `size_totals` and `coverage`; `verify_files` has checked
    them.
    """
    path = manifest_path(manifest.snapshot_id)
    # `snapshot_id=…` in the paths must not become a column.
    of_total = pq.read_table(
        parts["size_totals"], filters=[("scope", "=", "total")], partitioning=None
    )
    (total,) = of_total.to_pylist()
    columns = ["status", "started_at", "finished_at"]
    coverage = pq.read_table(parts["coverage"], columns=columns, partitioning=None)
    statuses = coverage["status"].to_pylist()
    status = "complete" if COMPLETE_STATUSES.issuperset(statuses) else "partial"
    problems = [
        Problem(path, f"says another {what} than the table {table}")
        for what, said, found, table in (
            ("status", manifest.status, status, "coverage"),
            ("coverage", manifest.coverage, dict(Counter(statuses)), "coverage"),
            ("total", manifest.totals, plain_row(total), "size_totals"),
        )
        if said != found
    ]
    backwards = "ends before it begins, so its times are not to be relied on"
    if manifest.finished_at < manifest.started_at:
        problems.append(Problem(path, backwards))
    if pc.any(pc.less(coverage["finished_at"], coverage["started_at"])).as_py():
        problems.append(Problem("coverage", f"has a listing that {backwards}"))
    return problems


def _strays(destination: Destination, manifest: Manifest) -> list[Problem]:
    named = {file.path for file in manifest.files}
    what = (
        "is no file of the snapshot, and readers of its folder read it too: a replacement is "
        "under way, or was killed, and `registry-exporter prune` removes what that has left"
    )
    strays = set(snapshot_files(destination, manifest.snapshot_id)) - named
    return [Problem(path, what) for path in sorted(strays)]


def _missing_tables(manifest: Manifest) -> Iterator[Problem]:
    path = manifest_path(manifest.snapshot_id)
    formats = sorted({file.format for file in manifest.files})
    for name in tables_in(manifest.format_version):
        entry = manifest.tables.get(name)
        found = {file.format for file in entry.files} if entry else set()
        if not found:
            yield Problem(path, f"names no file of the table {name}")
        else:
            for format_ in formats:
                if format_ not in found:
                    yield Problem(path, f"names no file of the table {name} in {format_}")


def _check_manifest(destination: Destination, manifest: Manifest) -> list[Problem]:
    path = manifest_path(manifest.snapshot_id)
    try:
        data, sums = destination.read(path), destination.read(f"{path}.sha256")
    except OutputError as error:
        return [Problem(path, str(error))]
    if data is None:
        return [Problem(path, "is missing")]
    if sums is None:
        return [Problem(f"{path}.sha256", "is missing")]
    # Two lines while a replacement is under way: see `publish`.
    wanted = f"{sha256(data)}  {manifest.snapshot_id}.json"
    if wanted not in sums.decode(errors="replace").splitlines():
        return [Problem(path, "is not the manifest whose SHA-256 stands beside it")]
    return []


def _check_file(destination: Destination, file: File, entry: TableEntry) -> Iterator[Problem]:
    try:
        size = destination.size(file.path)
        if size is None:
            yield Problem(file.path, "is missing")
            return
        if size != file.bytes:
            yield Problem(file.path, f"has {size} bytes, and the manifest says {file.bytes}")
            return
        yield from _check_content(destination, file, entry)
    except OutputError as error:
        yield Problem(file.path, str(error))


def _check_content(destination: Destination, file: File, entry: TableEntry) -> Iterator[Problem]:
    digest = hashlib.sha256()
    lines = _Lines()
    with destination.open_input(file.path) as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            if file.format == "ndjson":
                lines.feed(chunk)
        if digest.hexdigest() != file.sha256:
            yield Problem(file.path, "has another SHA-256 than the manifest says")
            return
        if file.format == "ndjson":
            what = lines.problem() or _differ(lines.count, file.rows)
        else:
            what = _parquet_problem(content, file.rows, entry.columns)
    if what:
        yield Problem(file.path, what)


def _parquet_problem(content: BinaryIO, rows: int, columns: list[Column]) -> str:
    content.seek(0)
    try:
        with pq.ParquetFile(content) as parquet:
            found, schema = parquet.metadata.num_rows, parquet.schema_arrow
    except pa.ArrowException as error:
        return f"is not readable Parquet: {one_line(error)}"
    if columns_of(schema) != columns:
        return "has other columns than the manifest says"
    return _differ(found, rows)


def _differ(found: int, rows: int) -> str:
    return "" if found == rows else f"has {number(found, 'row')}, and the manifest says {rows:,}"


class _Lines:
    """Counts the lines of gzip text as it passes; only one chunk is in memory at a time."""

    def __init__(self) -> None:
        self.count = 0
        self._gzip = zlib.decompressobj(_GZIP)
        self._last = b"\n"
        self._broken = ""

    def feed(self, chunk: bytes) -> None:
        if self._broken:
            return
        try:
            text = self._gzip.decompress(chunk)
        except zlib.error as error:
            self._broken = f"is not readable gzip: {one_line(error)}"
            return
        self.count += text.count(b"\n")
        self._last = text[-1:] or self._last

    def problem(self) -> str:
        if self._broken:
            return self._broken
        if not self._gzip.eof or self._gzip.unused_data:
            return "is not one whole gzip stream"
        return "" if self._last == b"\n" else "ends in the middle of a line"


def one_line(error: Exception) -> str:
    """Return the first line of a library's error, to put into a message."""
    return str(error).strip().partition("\n")[0].rstrip(".")
