"""A published snapshot as a loader finds it: through its manifest, and nothing taken on trust."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle.compare import differences, without
from tests.oracle.readers import read_ndjson, read_parquet
from tests.oracle.schema import COLUMNS, KEYS
from tests.oracle.values import Tables, cut_time

FORMATS = ("parquet", "ndjson")
_MANIFEST_KEYS = {
    "format_version",
    "generator",
    "snapshot_id",
    "status",
    "started_at",
    "finished_at",
    "source",
    "scope",
    "tables",
    "totals",
    "coverage",
    "requests",
}
_COMPLETE_STATUSES = {"complete", "skipped", "vanished"}
_NAMES = {"parquet": r"part-\d{5}\.parquet", "ndjson": r"part-\d{5}\.ndjson\.gz"}


@dataclass
class Snapshot:
    """One snapshot that has been read and found consistent: its manifest and its rows by format."""

    manifest: dict[str, Any]
    rows: dict[str, Tables]

    @property
    def id(self) -> str:
        return str(self.manifest["snapshot_id"])

    @property
    def tables(self) -> Tables:
        """The rows of every table; they are the same in every format."""
        return next(iter(self.rows.values()))

    def statuses(self) -> dict[tuple[str, str], str]:
        """Return the ledger's statuses by listing and parent."""
        rows = self.tables["coverage"]
        return {(row["listing"], row["parent_id"]): row["status"] for row in rows}


def snapshot_ids(output: Path) -> list[str]:
    """Return the ids of the published snapshots: those that have a manifest."""
    manifests = output / "manifests"
    found = manifests.glob("*.json") if manifests.is_dir() else ()
    return sorted(path.stem for path in found if path.name != "latest.json")


def latest_id(output: Path) -> str | None:
    """Return the id of the snapshot that `latest.json` is a copy of; null where there is none."""
    latest = output / "manifests" / "latest.json"
    if not latest.exists():
        return None
    snapshot_id = str(json.loads(latest.read_text("utf-8"))["snapshot_id"])
    assert latest.read_bytes() == (output / "manifests" / f"{snapshot_id}.json").read_bytes()
    return snapshot_id


def read_only_snapshot(output: Path, formats: tuple[str, ...] = FORMATS) -> Snapshot:
    """Read the one snapshot that a destination holds."""
    ids = snapshot_ids(output)
    assert len(ids) == 1, f"published: {ids}"
    return read_snapshot(output, ids[0], formats)


def read_snapshot(output: Path, snapshot_id: str, formats: tuple[str, ...] = FORMATS) -> Snapshot:
    """Read a snapshot and hold it against its manifest, its schema and itself.

    Raises `AssertionError` where a file is not what the manifest says, a column not what the
    contract says, a key not unique, the formats not the same, or a sum not the sum.
    """
    path = output / "manifests" / f"{snapshot_id}.json"
    manifest = json.loads(path.read_text("utf-8"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in path.with_name(path.name + ".sha256").read_text("ascii").split()
    assert set(manifest) >= _MANIFEST_KEYS
    assert manifest["snapshot_id"] == snapshot_id
    assert set(manifest["tables"]) == set(COLUMNS)
    rows = {format_: _read_format(output, manifest, format_) for format_ in formats}
    listed = {entry["format"] for table in manifest["tables"].values() for entry in table["files"]}
    assert listed == set(formats)
    _check_no_stray_files(output, manifest)
    _check_itself(manifest, rows)
    return Snapshot(manifest, rows)


def _read_format(output: Path, manifest: dict[str, Any], format_: str) -> Tables:
    tables: Tables = {}
    for name, entry in manifest["tables"].items():
        assert [column["name"] for column in entry["schema"]] == list(COLUMNS[name])
        assert all(column["description"] for column in entry["schema"]), name
        files = [file for file in entry["files"] if file["format"] == format_]
        assert files, f"{name} has no {format_} file"
        tables[name] = []
        for file in files:
            folder = f"{format_}/{name}/snapshot_id={manifest['snapshot_id']}/"
            assert re.fullmatch(re.escape(folder) + _NAMES[format_], file["path"])
            path = output / file["path"]
            content = path.read_bytes()
            assert file["bytes"] == len(content), file["path"]
            assert file["sha256"] == hashlib.sha256(content).hexdigest(), file["path"]
            read = read_parquet if format_ == "parquet" else read_ndjson
            rows = read(path, name)
            assert file["rows"] == len(rows), file["path"]
            tables[name] += rows
        assert entry["rows"] == len(tables[name]), name
    return tables


def _check_no_stray_files(output: Path, manifest: dict[str, Any]) -> None:
    named = {file["path"] for table in manifest["tables"].values() for file in table["files"]}
    lying = {
        path.relative_to(output).as_posix()
        for format_ in FORMATS
        for path in output.glob(f"{format_}/*/snapshot_id={manifest['snapshot_id']}/**/*")
        if path.is_file()
    }
    assert lying == named


def _check_itself(manifest: dict[str, Any], rows: dict[str, Tables]) -> None:
    """Check what must hold of any snapshot, whatever the world was."""
    first = next(iter(rows.values()))
    for format_, tables in rows.items():
        for name, key in KEYS.items():
            difference = differences(first[name], tables[name], key)
            assert not difference, f"{name} as {format_}: {difference}"
    counts = Counter(row["status"] for row in first["coverage"])
    counted = {status: count for status, count in manifest["coverage"].items() if count}
    assert counted == counts
    status = "complete" if set(counts) <= _COMPLETE_STATUSES else "partial"
    assert manifest["status"] == status
    started, finished = cut_time(manifest["started_at"]), cut_time(manifest["finished_at"])
    assert started
    assert finished
    assert started <= finished
    total = next(row for row in first["size_totals"] if row["scope"] == "total")
    told = {
        name: cut_time(value) if COLUMNS["size_totals"].get(name) == "time" else value
        for name, value in manifest["totals"].items()
    }
    assert told == total


def check_tables(snapshot: Snapshot, expected: Tables) -> None:
    """Hold the rows against the truth, all tables but `coverage` row for row.

    One format's rows: `read_snapshot` has held the others against them. Of `findings`, `detail` is
    a sentence in the program's words: it only has to be there.
    """
    for name, wanted in expected.items():
        found = snapshot.tables[name]
        if name == "findings":
            assert all(row["detail"] for row in found), "a finding has no detail"
            found = without(found, "detail")
        difference = differences(wanted, found, KEYS[name])
        assert not difference, f"{name}: {difference}"
