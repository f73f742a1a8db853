"""A bucket as a destination, against an S3 server that the test starts."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from exporter.errors import OutputError
from exporter.snapshots.catalog import snapshots
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.publish import publish
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.retention import remove
from exporter.snapshots.selection import read_snapshot
from exporter.snapshots.verify import verify_files
from exporter.snapshots.verify_rows import verify_rows
from exporter.staging.layout import Format
from exporter.storage.access import Access, Key
from exporter.storage.destination import Entry, Version
from exporter.storage.opening import open_destination
from tests import moto
from tests.snapshot.world import START, UNMEASURED, draft, stage


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Serve S3 on a loopback port of the system's choice."""
    pytest.importorskip("moto", reason="the S3 server comes with the dev extra")
    with moto.serving(UNMEASURED) as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> str:
    """Make an empty bucket."""
    name = f"bucket-{abs(hash(request.node.name))}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()
    return name


@pytest.fixture
def reach(endpoint: str) -> Access:
    """Say how the bucket is reached."""
    key = Key(SecretStr("test"), SecretStr("test"))
    return Access(endpoint=endpoint, path_style=True, key=key)


def test_a_bucket_keeps_files_as_a_folder_does(bucket: str, reach: Access, tmp_path: Path) -> None:
    destination = open_destination(f"s3://{bucket}/some/prefix", reach)
    destination.check_writable()
    assert destination.list("") == []
    assert destination.read("a/b") is None
    assert destination.size("a/b") is None
    destination.write_atomically("a/b", b"one")
    destination.write_atomically("a/b", b"three")
    staged = tmp_path / "staged"
    staged.write_bytes(b"x" * 12_000_000)
    destination.move_in(staged, "a/c/d")
    assert destination.list("a") == [Entry("a/b", 5), Entry("a/c/d", 12_000_000)]
    assert destination.read("a/b") == b"three"
    with destination.open_input("a/b") as file:
        file.seek(2)
        assert file.read() == b"ree"
    with destination.fetched("a/c/d", tmp_path) as local:
        assert local.read_bytes() == staged.read_bytes()
    assert list(tmp_path.iterdir()) == [staged]
    there = destination.read_version("a/b")
    assert destination.replace("a/b", b"four", there)
    assert not destination.replace("a/b", b"five", there)
    assert not destination.replace("a/b", b"five", Version(None))
    assert destination.read("a/b") == b"four"
    assert destination.replace("a/e", b"new", destination.read_version("a/e"))
    destination.delete("a/e")
    destination.delete("a/b")
    destination.delete("a/b")
    assert destination.list("") == [Entry("a/c/d", 12_000_000)]


def test_a_bucket_that_does_not_exist_is_one_sentence(bucket: str, reach: Access) -> None:
    with pytest.raises(OutputError) as refusal:
        open_destination(f"s3://{bucket}-not/prefix", reach).check_writable()
    sentence = str(refusal.value)
    assert sentence.startswith(f"Cannot read s3://{bucket}-not/prefix/")
    assert "there is no bucket of that name; make one" in sentence
    assert "\n" not in sentence


def test_a_snapshot_is_published_verified_replaced_and_removed_in_a_bucket(
    bucket: str, reach: Access, tmp_path: Path
) -> None:
    destination = open_destination(f"s3://{bucket}/inventory", reach)
    attempts: list[tuple[str, list[Format]]] = [("a", ["parquet"]), ("b", ["parquet", "ndjson"])]
    for day, (mark, formats) in enumerate(attempts):
        staging = tmp_path / mark
        manifest = publish(
            destination,
            draft("first", started_at=START + timedelta(day)),
            stage(staging, mark=mark, formats=formats),
            staging=staging,
            replace=day > 0,
        )
        latest = destination.read(LATEST)
        assert latest is not None
        assert Manifest.parse(latest) == manifest
        assert {entry.path for entry in destination.list("") if "snapshot_id" in entry.path} == {
            file.path for file in manifest.files
        }
    assert verify_files(destination, manifest) == []
    with Snapshot(destination, manifest) as snapshot:
        assert verify_rows(snapshot, destination, working=tmp_path, memory_limit="200MB") == []
    assert [info.is_latest for info in snapshots(destination)] == [True]
    with read_snapshot(destination) as snapshot, duckdb.connect() as connection:
        assert snapshot.dataset("images").to_table(["image_id"]).num_rows == 5
        snapshot.register(connection)
        assert connection.execute("SELECT sum(size) FROM layers").fetchall() == [(10_005,)]
        snapshot.check()
    remove(destination, ["first"])
    assert destination.list("") == []
