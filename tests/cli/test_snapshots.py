"""The other commands, on real snapshots and against the emulator."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.staging.workspace import staging_root
from exporter.storage.lock import Lock
from exporter.storage.opening import open_destination
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.waiting import until
from tests.e2e.worlds import busiest_registry, folder_of
from tests.oracle.snapshots import snapshot_ids

ExporterFor = Callable[[Cloud | None], Exporter]


@pytest.fixture(scope="module")
def three_snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an output with three snapshots; to be copied, not changed."""
    with Cloud() as cloud:
        exporter = Exporter(tmp_path_factory.mktemp("three"), cloud)
        assert exporter.run("--snapshot-id", "first").code == 0
        assert exporter.run("--snapshot-id", "second", "--format", "parquet").code == 0
        cloud.deny(busiest_registry(cloud.estate))
        assert exporter.run("--snapshot-id", "third", "--format", "ndjson").code == 3
    return exporter.output


@pytest.fixture
def with_snapshots(three_snapshots: Path, exporter_for: ExporterFor) -> Exporter:
    """Return the command with three snapshots at its output: two complete, the newest partial."""
    exporter = exporter_for(None)
    shutil.copytree(three_snapshots, exporter.output)
    return exporter


def told(exporter: Exporter, *arguments: str) -> Run:
    return exporter.command(*arguments, "--output", str(exporter.output))


def test_snapshots_are_listed_verified_and_pruned(with_snapshots: Exporter) -> None:
    exporter = with_snapshots
    listed = told(exporter, "list")
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
    assert list(rows) == ["third", "second", "first"]
    assert "partial" in rows["third"]
    assert rows["second"].split()[-1] == "latest"
    assert f" {SMALL.images} " in rows["first"]
    content = json.loads(told(exporter, "list", "--json").stdout)
    assert [(one["snapshot_id"], one["latest"]) for one in content] == [
        ("third", False),
        ("second", True),
        ("first", False),
    ]
    assert content[0]["status"] == "partial"

    sound = told(exporter, "verify")
    assert (sound.code, sound.stdout.splitlines()[-1]) == (0, "Snapshot second is sound.")
    partial = told(exporter, "verify", "third")
    assert partial.code == 0, partial.stdout
    assert "It is partial" in partial.stdout

    nothing = told(exporter, "prune")
    assert nothing.code == 2
    assert "keep-last" in nothing.said
    dry = told(exporter, "prune", "--keep-last", "1", "--dry-run")
    assert dry.code == 0, dry.stderr
    assert "2 snapshots kept, 1 would be removed." in dry.stdout
    assert dry.published == ["first", "second", "third"]
    pruned = told(exporter, "prune", "--keep-last", "1")
    assert pruned.code == 0, pruned.stderr
    assert re.search(r"^second +kept +last, newest complete", pruned.stdout, re.MULTILINE)
    assert "2 snapshots kept, 1 removed." in pruned.stdout
    assert pruned.published == ["second", "third"]
    assert not list(exporter.output.rglob("*snapshot_id=first*"))


def change_a_number(manifests: Path) -> None:
    latest = manifests / "latest.json"
    latest.write_text(latest.read_text().replace('"image_count": ', '"image_count": 1'))


def copy_over(name: str) -> Callable[[Path], object]:
    return lambda manifests: shutil.copy(manifests / f"{name}.json", manifests / "latest.json")


def say_another_id(manifests: Path) -> None:
    """Leave what a removed snapshot's manifest would say."""
    latest = manifests / "latest.json"
    latest.write_text(latest.read_text().replace("second", "gone"))


WRONG_LATESTS: dict[str, tuple[Callable[[Path], object], str, str | None]] = {
    "a number changed": (
        change_a_number,
        "names second, and is not the same as its manifest",
        "second",
    ),
    "a partial one": (copy_over("third"), "names third, which is partial", "third"),
    "an older one": (
        copy_over("first"),
        "names first, which is not the newest complete one",
        "first",
    ),
    "no one": (say_another_id, "names gone, which is no snapshot that there is", None),
    "garbage": (lambda at: (at / "latest.json").write_text("garbage"), "cannot be read", None),
    "missing": (lambda at: (at / "latest.json").unlink(), "is missing", None),
}


def test_a_latest_that_is_not_the_newest_complete_manifest_is_found_and_mended(
    with_snapshots: Exporter,
) -> None:
    exporter = with_snapshots
    manifests = exporter.output / "manifests"
    right = (manifests / "latest.json").read_bytes()
    for spoil, what, named in WRONG_LATESTS.values():
        (manifests / "latest.json").write_bytes(right)
        spoil(manifests)
        wrong = f"manifests/latest.json: {what}; it should be a copy of manifests/second.json; "
        verified = told(exporter, "verify")
        assert verified.code == 1, verified.stdout
        assert f"{wrong}an export that was killed" in verified.stdout
        last = "Snapshot second matches its manifest, but manifests/latest.json is wrong."
        assert verified.stdout.splitlines()[-1].startswith(last)
        listed = told(exporter, "list")
        assert listed.code == 0
        assert f"registry-exporter: {wrong}" in listed.stderr
        marks = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
        assert {name for name in marks if marks[name].rstrip().endswith("latest")} == set()
        claimed = {name for name in marks if "named by latest.json" in marks[name]}
        assert claimed == ({named} if named else set())
    as_json = told(exporter, "list", "--json")
    assert not any(one["latest"] for one in json.loads(as_json.stdout))
    assert told(exporter, "prune", "--keep-last", "5").code == 0
    mended = told(exporter, "verify")
    assert mended.code == 0, mended.stdout
    assert told(exporter, "list").stderr == ""


def test_a_snapshot_by_its_id_is_told_what_latest_says_falsely_of_it(
    with_snapshots: Exporter,
) -> None:
    manifests = with_snapshots.output / "manifests"
    right = (manifests / "latest.json").read_bytes()
    for spoil, snapshot_id, code in (
        (change_a_number, "second", 1),
        (copy_over("third"), "third", 1),
        # What it says of this one is true: that it should name another is not about it.
        (copy_over("first"), "first", 0),
        (say_another_id, "second", 0),
    ):
        (manifests / "latest.json").write_bytes(right)
        spoil(manifests)
        verified = told(with_snapshots, "verify", snapshot_id)
        assert verified.code == code, verified.stdout
        assert (f"manifests/latest.json: names {snapshot_id}, " in verified.stdout) == bool(code)
        assert ("is sound" in verified.stdout) == (not code)


def test_what_is_broken_is_named_and_ends_with_1(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    assert exporter.run("--snapshot-id", "night").code == 0
    part = next(exporter.output.glob("parquet/images/*/part-00000.parquet"))
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    next(exporter.output.glob("ndjson/tags/*/part-00000.ndjson.gz")).unlink()
    run = told(exporter, "verify", "night")
    assert run.code == 1
    images, tags = "parquet/images/snapshot_id=night", "ndjson/tags/snapshot_id=night"
    assert f"{images}/part-00000.parquet: has another SHA-256" in run.stdout
    assert f"{tags}/part-00000.ndjson.gz: is missing" in run.stdout
    assert "Snapshot night is BROKEN: 2 problems." in run.stdout


def test_totals_that_do_not_follow_are_found_though_every_file_is_as_published(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    assert exporter.run("--snapshot-id", "night", "--format", "parquet").code == 0
    path = next(exporter.output.glob("parquet/size_totals/*/part-00000.parquet"))
    rows = pq.read_table(path, partitioning=None)
    index = rows.schema.get_field_index("stored_size")
    doubled = pa.array([size * 2 for size in rows.column(index).to_pylist()])
    pq.write_table(rows.set_column(index, rows.schema.field(index), doubled), path)
    adopt(exporter.output, path)
    run = told(exporter, "verify", "night")
    assert run.code == 1, run.stdout
    assert "size_totals does not have the row that follows" in run.stdout


def adopt(output: Path, path: Path) -> None:
    """Write a file's new bytes and sums into the manifest, as someone would who forges it."""
    manifest_path = output / "manifests/night.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    (file,) = manifest["tables"]["size_totals"]["files"]
    file["bytes"] = path.stat().st_size
    file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest_path.write_text(json.dumps(manifest), encoding="utf-8")
    digest = hashlib.sha256(manifest_path.read_bytes()).hexdigest()
    manifest_path.with_name("night.json.sha256").write_text(f"{digest}  night.json\n")


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("verify",), ("prune", "--keep-last", "1")]
)
def test_a_folder_that_is_not_there_is_told_and_not_made(
    arguments: tuple[str, ...], exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(None)
    run = told(exporter, *arguments)
    assert (run.code, run.stdout) == (5, "")
    assert f"there is no folder {exporter.output}" in run.said
    assert not exporter.output.exists(), "looking leaves no trace"
    exporter.output.symlink_to("gone")
    assert f"{exporter.output} is a link to gone, which is not there" in (
        told(exporter, *arguments).said
    )


def test_a_folder_without_snapshots_is_told_from_one_with(exporter_for: ExporterFor) -> None:
    exporter = exporter_for(None)
    exporter.output.mkdir()
    empty = told(exporter, "list")
    assert empty.code == 0
    assert empty.stdout == f"There are no snapshots in {exporter.output}.\n"
    relative = exporter.command("list", "--output", "./snapshots")
    assert relative.stdout == "There are no snapshots in snapshots.\n"
    assert json.loads(told(exporter, "list", "--json").stdout) == []
    verified = told(exporter, "verify")
    assert verified.code == 1
    assert "no complete snapshot" in verified.said
    assert list(exporter.output.iterdir()) == [], "looking leaves no trace"


def test_a_prune_does_not_disturb_a_run(exporter_for: ExporterFor) -> None:
    exporter = exporter_for(None)
    with Lock(staging_root(open_destination(str(exporter.output)), None), "running"):
        run = told(exporter, "prune", "--keep-last", "1")
    assert run.code == 11, run.stderr
    assert f"process {os.getpid()}" in run.said


def test_a_plan_lists_no_images_and_writes_nothing(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    config = str(exporter.write_config())
    shown = exporter.command("plan", "--config", config)
    assert shown.code == 0, shown.stderr
    assert f"An export would list {SMALL.registries} registries" in shown.stdout
    assert not cloud.calls.of("images")
    assert not exporter.output.exists()
    denied = folder_of(cloud.estate, busiest_registry(cloud.estate))
    cloud.deny(denied)
    partial = exporter.command("plan", "--config", config, "--json")
    assert partial.code == 3
    content = json.loads(partial.stdout)
    assert content["cost"] is None
    statuses = {one["parent_id"]: one["status"] for one in content["listings"]}
    assert statuses[denied] == "denied"
    assert content["registries"] < SMALL.registries
    told = [event for event in partial.events if event.get("parent_id") == denied]
    assert [(event["event"], event["status"]) for event in told] == [("listing_ended", "denied")]
    quiet = exporter.command("plan", "--config", config, "--quiet")
    assert quiet.stderr.splitlines() == [
        f"registry-exporter: These listings are not complete: registries of {denied} (denied)."
    ]
    cloud.mend()
    exporter.export()
    counted = json.loads(exporter.command("plan", "--config", config, "--json").stdout)
    expected = {one["registry_id"]: one["images"] for one in counted["expected_images"]}
    assert expected == {
        one["id"]: len(cloud.estate.image_numbers(one["id"])) for one in cloud.estate.registries()
    }
    # Forty microseconds and 420 bytes an image: the README's million takes 40 s and 420 MB.
    assert counted["cost"]["processor_seconds"] == pytest.approx(SMALL.images * 40 / 1_000_000)
    assert counted["cost"]["parquet_bytes"] == SMALL.images * 420
    seen = exporter.command("plan", "--config", config).stdout
    assert f"about {SMALL.images} images" in seen
    assert re.search(r"it takes about [\d.]+ KiB of Parquet files, and [\d.]+ s of one", seen)


def test_the_demo_needs_nothing_and_suggests_what_to_do_next(exporter_for: ExporterFor) -> None:
    exporter = exporter_for(None)
    del exporter.environment["REGISTRY_IAM_TOKEN"]
    run = exporter.command("demo", "--images", "300", "--seed", "5", "--log-format", "console")
    assert run.code == 0, run.stderr
    assert not exporter.output.exists(), "a demo does not write where exports go"
    assert len(snapshot_ids(exporter.folder / "demo-snapshots")) == 2
    assert run.stderr.count("is complete.") == 1, "yesterday's summary is not shown"
    for name, told in (("verify", "is sound"), ("diff", "moved to another image")):
        suggested = next(line for line in run.stderr.splitlines() if f" {name} " in line)
        done = subprocess.run(
            suggested,
            shell=True,
            cwd=exporter.folder,
            env=exporter.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert told in done.stdout


def test_a_demo_that_is_stopped_says_what_it_leaves(exporter_for: ExporterFor) -> None:
    exporter = exporter_for(None)
    process = exporter.start_command("demo", "--output", "made-up")
    staging = exporter.folder / "made-up" / ".staging"
    until(lambda: any(staging.glob("*/journal*")), "the demo stages something")
    process.signal(signal.SIGINT)
    run = process.wait()
    assert run.code == 130
    assert "Stopped by SIGINT. Its staged data is left in made-up/.staging" in run.said


def test_a_port_that_is_taken_is_named(exporter_for: ExporterFor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = exporter_for(None).command("emulate", "--preset", "tiny", "--port", str(port))
    assert run.code == 1
    assert run.said == (
        f"registry-exporter: The emulator cannot listen on 127.0.0.1:{port}: Address already in "
        "use; choose another --host or --port (0 takes any free one)."
    )


def test_the_emulator_serves_until_it_is_stopped(exporter_for: ExporterFor) -> None:
    line = [sys.executable, "-m", "exporter", "emulate", "--preset", "tiny"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{ready['url']}/endpoints") as answer:
            assert "container-registry" in answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 0
    bad = exporter_for(None).command("emulate", "--fault", "no-such=1")
    assert bad.code == 2
    assert "no-such" in bad.said
