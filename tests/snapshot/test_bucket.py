"""A bucket as a destination, against an S3 server that the test starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pyarrow import fs

from exporter.errors import OutputError
from exporter.snapshot.catalog import snapshots
from exporter.snapshot.destination import Destination, Entry
from exporter.snapshot.layout import LATEST, Format
from exporter.snapshot.manifest import Manifest
from exporter.snapshot.publish import publish
from exporter.snapshot.retention import remove
from exporter.snapshot.verify import verify_files
from exporter.snapshot.verify_rows import verify_rows
from tests.snapshot.world import START, UNMEASURED, draft, stage

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Serve S3 on a loopback port of the system's choice."""
    pytest.importorskip("moto", reason="the S3 server comes with the dev extra")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=UNMEASURED,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit()
        yield f"http://127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Make an empty bucket and point the environment at its server."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    name = f"bucket-{abs(hash(request.node.name))}"
    host = endpoint.removeprefix("http://")
    store = fs.S3FileSystem(
        scheme="http", endpoint_override=host, region="us-east-1", allow_bucket_creation=True
    )
    store.create_dir(name)
    return name


def _folders(bucket: str) -> list[str]:
    """Return what tools that go by folders would find, empty ones included."""
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    store = fs.S3FileSystem(scheme="http", endpoint_override=host, region="us-east-1")
    return [info.path for info in store.get_file_info(fs.FileSelector(bucket, recursive=True))]


def test_a_bucket_keeps_files_as_a_folder_does(bucket: str, tmp_path: Path) -> None:
    destination = Destination.open(f"s3://{bucket}/some/prefix")
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
    destination.delete("a/b")
    destination.delete("a/b")
    assert destination.list("") == [Entry("a/c/d", 12_000_000)]


def test_a_bucket_that_does_not_exist_is_one_sentence(bucket: str) -> None:
    with pytest.raises(OutputError) as refusal:
        Destination.open(f"s3://{bucket}-not/prefix").check_writable()
    sentence = str(refusal.value)
    assert sentence.startswith(f"Cannot write to s3://{bucket}-not/prefix: ")
    assert sentence.endswith("check that the place exists and may be used.")
    assert "\n" not in sentence


def test_a_snapshot_is_published_verified_replaced_and_removed_in_a_bucket(
    bucket: str, tmp_path: Path
) -> None:
    destination = Destination.open(f"s3://{bucket}/inventory")
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
    assert verify_rows(destination, manifest, working=tmp_path, memory_limit="200MB") == []
    assert [info.is_latest for info in snapshots(destination)] == [True]
    remove(destination, ["first"])
    assert destination.list("") == []
    assert not any("snapshot_id" in folder for folder in _folders(bucket))
