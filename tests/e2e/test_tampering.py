"""That the checks of published snapshots notice what is wrong with one."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import FORMATS, read_snapshot

PARQUET = "parquet/images/snapshot_id=night/part-00000.parquet"
NDJSON = "ndjson/images/snapshot_id=night/part-00000.ndjson.gz"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a destination with one snapshot, `night`; to be copied, not changed."""
    return publish(tmp_path_factory.mktemp("published"), *FORMATS)


@pytest.fixture(scope="module")
def published_as_lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a destination with one snapshot, `night`, in NDJSON alone."""
    return publish(tmp_path_factory.mktemp("lines"), "ndjson")


def publish(folder: Path, *formats: str) -> Path:
    flags = [flag for format_ in formats for flag in ("--format", format_)]
    with Cloud() as cloud:
        run = Exporter(folder, cloud).run("--snapshot-id", "night", *flags)
        assert run.code == 0, run.stderr
        check_against(run.snapshot(formats), world_of(cloud.estate))
    return run.output


def change_manifest(output: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest, and with it its checksum and its copy."""
    path = output / "manifests" / "night.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("night.json.sha256").write_text(f"{digest}  night.json\n")
    shutil.copy(path, path.with_name("latest.json"))


def rewrite(output: Path, name: str, content: bytes) -> None:
    """Replace a file, and what the manifest says of its bytes."""
    (output / name).write_bytes(content)

    def note(manifest: dict[str, Any]) -> None:
        for table in manifest["tables"].values():
            for file in table["files"]:
                if file["path"] == name:
                    file["bytes"] = len(content)
                    file["sha256"] = hashlib.sha256(content).hexdigest()

    change_manifest(output, note)


def double_a_row(output: Path) -> None:
    lines = gzip.decompress((output / NDJSON).read_bytes()).splitlines(keepends=True)
    rewrite(output, NDJSON, gzip.compress(b"".join([*lines[1:], lines[1]])))


def drop_a_row(output: Path) -> None:
    lines = gzip.decompress((output / NDJSON).read_bytes()).splitlines(keepends=True)
    rewrite(output, NDJSON, gzip.compress(b"".join(lines[1:])))


def flip_a_byte(output: Path) -> None:
    content = bytearray((output / PARQUET).read_bytes())
    content[len(content) // 2] ^= 1
    (output / PARQUET).write_bytes(content)


def drop_a_table(output: Path) -> None:
    change_manifest(output, lambda manifest: manifest["tables"].pop("tags"))


def remove_findings(output: Path) -> None:
    for format_ in FORMATS:
        shutil.rmtree(output / format_ / "findings")
    change_manifest(output, lambda manifest: manifest["tables"].pop("findings"))


def remove_the_lines_of_findings(output: Path) -> None:
    shutil.rmtree(output / "ndjson" / "findings")

    def forget(manifest: dict[str, Any]) -> None:
        entry = manifest["tables"]["findings"]
        entry["files"] = [file for file in entry["files"] if file["format"] == "parquet"]

    change_manifest(output, forget)


TAMPERINGS: dict[str, Callable[[Path], object]] = {
    "a byte flipped": flip_a_byte,
    "a row twice": double_a_row,
    "a row missing": drop_a_row,
    "a table missing": drop_a_table,
    "a table removed": remove_findings,
    "a table removed in one format": remove_the_lines_of_findings,
    "a file missing": lambda output: (output / PARQUET).unlink(),
    "a file too many": lambda output: (output / PARQUET).with_name("part-00001.parquet").touch(),
    "a manifest changed": lambda output: (output / "manifests/night.json").write_text("{}"),
    "a status changed": lambda output: change_manifest(
        output, lambda manifest: manifest.update(status="partial")
    ),
    "a sum changed": lambda output: change_manifest(
        output, lambda manifest: manifest["totals"].update(image_count=1)
    ),
    "an end before its beginning": lambda output: change_manifest(
        output, lambda manifest: manifest.update(finished_at="2020-01-01T00:00:00Z")
    ),
    "a count changed": lambda output: change_manifest(
        output, lambda manifest: manifest.update(coverage={"complete": 1})
    ),
}


@pytest.mark.parametrize("tamper", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_snapshot_that_was_tampered_with_is_noticed(
    tamper: Callable[[Path], object], published: Path, tmp_path: Path
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(published, output)
    tamper(output)
    with pytest.raises((AssertionError, FileNotFoundError)):
        read_snapshot(output, "night")


def test_the_command_to_verify_finds_what_was_not_tampered_with_sound(
    published: Path, published_as_lines: Path, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    exporter = exporter_for(None)
    for output in (published, published_as_lines):
        done = exporter.command("verify", "--output", str(output))
        assert done.code == 0, done.stdout
        assert "is sound" in done.stdout


def break_latest(output: Path) -> None:
    (output / "manifests" / "latest.json").write_text("garbage")


@pytest.mark.parametrize(
    "tamper", [*TAMPERINGS.values(), break_latest], ids=[*TAMPERINGS, "a broken latest"]
)
def test_the_command_to_verify_notices_it_too(
    tamper: Callable[[Path], object],
    published: Path,
    tmp_path: Path,
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(published, output)
    tamper(output)
    done = exporter_for(None).command("verify", "--output", str(output))
    assert done.code == 1, done.stdout
    assert "is sound" not in done.stdout


def change_a_total(output: Path) -> None:
    name = "ndjson/size_totals/snapshot_id=night/part-00000.ndjson.gz"
    rows = [json.loads(line) for line in gzip.decompress((output / name).read_bytes()).splitlines()]
    rows[0]["stored_size"] += 1
    rewrite(output, name, gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows)))


def spoil_a_row(output: Path) -> None:
    lines = gzip.decompress((output / NDJSON).read_bytes()).splitlines(keepends=True)
    rewrite(output, NDJSON, gzip.compress(b"".join([b'{"image_id": \n', *lines[1:]])))


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (double_a_row, "images: has 2 rows with the key "),
        (change_a_total, "size_totals does not have the row that follows from the listed tables: "),
        (spoil_a_row, "images: cannot be read: "),
        (TAMPERINGS["an end before its beginning"], "night.json: ends before it begins"),
        (TAMPERINGS["a status changed"], "manifests/night.json: says another status than the"),
    ],
)
def test_a_snapshot_in_lines_alone_is_verified_no_less(
    tamper: Callable[[Path], object],
    what: str,
    published_as_lines: Path,
    tmp_path: Path,
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(published_as_lines, output)
    tamper(output)
    done = exporter_for(None).command("verify", "--output", str(output))
    assert done.code == 1, done.stdout
    assert what in done.stdout
    assert done.stderr == ""
