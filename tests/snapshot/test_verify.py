"""Verification: a good snapshot has no problems, and each kind of damage is named."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.snapshots.manifest import Manifest, sha256, sidecar
from exporter.snapshots.manifests import read_manifest
from exporter.snapshots.publish import publish
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.verify import Problem, verify_files
from exporter.snapshots.verify_rows import verify_rows
from exporter.sql import shares
from exporter.storage.opening import open_destination
from exporter.tables.schemas import TABLES
from tests.snapshot.world import draft, image_rows, stage

PARQUET = "parquet/images/snapshot_id=first/part-00000.parquet"
NDJSON = "ndjson/images/snapshot_id=first/part-00000.ndjson.gz"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    staging = tmp_path / "staging"
    publish(
        open_destination(str(tmp_path / "out")), draft("first"), stage(staging), staging=staging
    )
    return tmp_path / "out"


def _manifest(out: Path) -> Manifest:
    manifest = read_manifest(open_destination(str(out)), "first")
    assert manifest is not None
    return manifest


def _files(out: Path) -> list[Problem]:
    return verify_files(open_destination(str(out)), _manifest(out))


def _rows(out: Path) -> list[Problem]:
    working = out.parent / "working"
    working.mkdir()
    destination = open_destination(str(out))
    with Snapshot(destination, _manifest(out)) as snapshot:
        problems = verify_rows(snapshot, destination, working=working, memory_limit="200MB")
    assert list(working.iterdir()) == []
    return problems


def _forge(out: Path, path: str, content: bytes, rows: int | None = None) -> None:
    """Put other bytes in a file's place and make the manifest agree with them."""
    (out / path).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    manifest = _manifest(out)
    tables = {
        name: entry.model_copy(
            update={
                "rows": rows if rows is not None and name == "images" else entry.rows,
                "files": [
                    file.model_copy(
                        update={
                            "sha256": digest if file.path == path else file.sha256,
                            "bytes": len(content) if file.path == path else file.bytes,
                            "rows": rows if rows is not None and name == "images" else file.rows,
                        }
                    )
                    for file in entry.files
                ],
            }
        )
        for name, entry in manifest.tables.items()
    }
    data = manifest.model_copy(update={"tables": tables}).to_bytes()
    (out / "manifests/first.json").write_bytes(data)
    (out / "manifests/first.json.sha256").write_bytes(sidecar("first", sha256(data)))


def _parquet(rows: list[dict[str, object]], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def test_a_published_snapshot_has_no_problems(out: Path) -> None:
    assert _files(out) == []
    assert _rows(out) == []


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("path", [PARQUET, NDJSON])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (Path.unlink, "is missing"),
        (_cut, "bytes, and the manifest says"),
        (_flip, "has another SHA-256 than the manifest says"),
    ],
)
def test_damage_to_a_file_is_named(
    out: Path, path: str, damage: Callable[[Path], None], what: str
) -> None:
    damage(out / path)
    (problem,) = _files(out)
    assert problem.where == path
    assert what in problem.what


def test_a_manifest_that_is_not_the_one_summed_is_named(out: Path) -> None:
    manifest = out / "manifests/first.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"nebius-il", b"nebius-xx"))
    assert _files(out) == [
        Problem("manifests/first.json", "is not the manifest whose SHA-256 stands beside it")
    ]
    (out / "manifests/first.json.sha256").unlink()
    assert _files(out) == [Problem("manifests/first.json.sha256", "is missing")]


def test_a_snapshot_that_was_removed_meanwhile_is_named(out: Path) -> None:
    manifest = _manifest(out)
    (out / "manifests/first.json").unlink()
    problems = verify_files(open_destination(str(out)), manifest)
    assert problems == [Problem("manifests/first.json", "is missing")]


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        (PARQUET, b"PAR1", "is not readable Parquet"),
        (
            PARQUET,
            _parquet([], TABLES["clouds"].schema),
            "has other columns than the manifest says",
        ),
        (PARQUET, _parquet([], TABLES["images"].schema), "has 0 rows, and the manifest says 5"),
        (NDJSON, b"{}\n", "is not readable gzip"),
        (NDJSON, gzip.compress(b"{}\n" * 5, mtime=0)[:-4], "is not one whole gzip stream"),
        (NDJSON, gzip.compress(b"{}\n" * 5, mtime=0) + b"more", "is not one whole gzip stream"),
        (NDJSON, gzip.compress(b"{}\n" * 4 + b"{}", mtime=0), "ends in the middle of a line"),
        (NDJSON, gzip.compress(b"{}\n" * 4, mtime=0), "has 4 rows, and the manifest says 5"),
    ],
)
def test_a_file_that_is_not_what_it_should_hold_is_named(
    out: Path, path: str, content: bytes, what: str
) -> None:
    _forge(out, path, content)
    (problem,) = _files(out)
    assert problem.where == path
    assert problem.what.startswith(what)


@pytest.mark.parametrize("at_once", [shares.ROWS_AT_ONCE, 2])
def test_a_key_that_stands_twice_is_named(
    at_once: int, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "ROWS_AT_ONCE", at_once)
    rows = image_rows(5, "a")["images"]
    rows[3]["image_id"] = rows[1]["image_id"]
    _forge(out, PARQUET, _parquet(rows, TABLES["images"].schema))
    assert Problem("images", "has 2 rows with the key image-a-1") in _rows(out)


@pytest.mark.parametrize(
    "change",
    [
        {"compressed_size": 2**53 + 1},
        {"tags": None},
        {"tags": []},
        {"digest": None},
        {"created_at": None},
    ],
    ids=str,
)
def test_formats_that_differ_in_one_value_are_named(out: Path, change: dict[str, object]) -> None:
    rows = image_rows(5, "a")["images"]
    rows[2].update(change | ({"compressed_size": 7} if "compressed_size" in change else {}))
    _forge(out, PARQUET, _parquet(rows, TABLES["images"].schema))
    assert _rows(out) == [Problem("images", "has other rows in NDJSON (5) than in Parquet (5)")]


def test_rows_that_cannot_be_read_are_named(out: Path) -> None:
    _forge(out, PARQUET, b"PAR1")
    _forge(out, NDJSON.replace("images", "layers"), gzip.compress(b"not JSON\n" * 10))
    problems = {problem.where: problem.what for problem in _rows(out)}
    assert sorted(problems) == ["images", "layers"]
    assert all(what.startswith("cannot be read: ") for what in problems.values())


def test_a_file_that_goes_missing_before_its_rows_are_read_is_named(out: Path) -> None:
    (out / PARQUET).unlink()
    (problem,) = _rows(out)
    assert problem.where == "images"
    assert f"{PARQUET} is missing" in problem.what
