"""Outputs whose paths readers of files could read something into: they mean the folder, no more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from exporter.emulator import Faults, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot

LIMITS = {"limits": {"page_size": 100}}
PATH = (
    "env=prod/scope=x/table=t/part=p/part_row=3/registry_id=1/cloud_id=2/image_count=x/"
    "a[b]*?{c}/it's 100% \"so\", 'or' not"
)


def test_every_command_works_below_any_path(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(Shape(clouds=1, folders=1, registries=3, repositories=6, images=40))
    exporter = exporter_for(cloud)
    flags = ("--output", PATH, "--log-level", "debug")
    first = exporter.run(*flags, "--snapshot-id", "first", sections=LIMITS)
    assert first.code == 0, first.stderr
    check_against(read_snapshot(exporter.folder / PATH, "first"), world_of(cloud.estate))
    listed = exporter.command("list", "--output", PATH)
    assert "first" in listed.stdout
    verified = exporter.command("verify", "--output", PATH)
    assert "Snapshot first is sound." in verified.stdout
    # With the first snapshot's hints, small registries are listed together.
    second = exporter.run(*flags, "--snapshot-id", "second", sections=LIMITS)
    assert second.code == 0, second.stderr
    assert "listed_together" in [event["event"] for event in second.events]
    check_against(read_snapshot(exporter.folder / PATH, "second"), world_of(cloud.estate))


def test_images_that_come_twice_are_dropped_below_any_path(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(faults=Faults(rates={"changed-twice": 0.5}))
    exporter = exporter_for(cloud)
    exporter.output = exporter.folder / PATH
    snapshot = exporter.export({"limits": {"page_size": 5}})
    images = {row["image_id"] for row in snapshot.tables["images"]}
    assert len(images) == len(snapshot.tables["images"]) == cloud.estate.shape.images
    kinds = {row["kind"] for row in snapshot.tables["findings"]}
    assert "image_changed" in kinds


def test_the_query_that_a_summary_suggests_reads_the_snapshot_below_any_path(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    run = exporter.run("--output", PATH, "--log-format", "console")
    assert run.code == 0, run.stderr
    line = next(line for line in run.stderr.splitlines() if " query --name " in line)
    done = subprocess.run(
        line, shell=True, cwd=exporter.folder, capture_output=True, text=True, check=True
    )
    names = [repository["name"] for repository in cloud.estate.repositories()]
    assert any(name in done.stdout for name in names), done.stdout
