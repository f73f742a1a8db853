"""A 404 does not empty a snapshot: only what its parent no longer names has vanished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.emulator import Behaviour, Faults, LoggedCall, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import (
    busiest_registry,
    check_against,
    cloud_of,
    folder_of,
    world_of,
)
from tests.oracle.snapshots import read_snapshot
from tests.oracle.values import Row

SHAPE = Shape(clouds=2, folders=3, registries=4, repositories=12, images=60, layers=1)


def a_thing_of(cloud: Cloud, level: str) -> str:
    """Return the cloud, the folder or the registry with the most in it."""
    registry = busiest_registry(cloud.estate)
    folder = folder_of(cloud.estate, registry)
    return {"clouds": cloud_of(cloud.estate, folder), "folders": folder, "registries": registry}[
        level
    ]


def rows_of(snapshot_tables: dict[str, list[Row]], parent: str) -> list[Row]:
    return [row for row in snapshot_tables["coverage"] if row["parent_id"] == parent]


@pytest.mark.parametrize("listing", ["clouds", "folders", "registries", "repositories", "images"])
def test_one_404_that_is_answered_rightly_if_asked_again_loses_nothing(
    listing: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults({"404": 1.0}, scopes=frozenset({listing}), in_a_row=1)
    cloud = serve_cloud(SHAPE, faults=faults)
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 15, "concurrency": 32}})
    assert [call for call in cloud.calls.of(listing) if call.fault == "404"]
    check_against(snapshot, world_of(cloud.estate))


@pytest.mark.parametrize("level", ["clouds", "folders", "registries"])
def test_what_its_parent_still_names_has_failed_and_not_vanished(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    before = exporter.export(snapshot_id="before")
    missing = a_thing_of(cloud, level)
    cloud.faults = Faults(unfound=frozenset({missing}))
    run = exporter.run("--snapshot-id", "after")
    assert run.code == 3, run.stderr
    assert run.latest == before.id
    assert "vanished" not in run.stderr
    statuses = {row["status"] for row in rows_of(read(exporter, "after"), missing)}
    assert statuses == {"failed"}
    for row in rows_of(read(exporter, "after"), missing):
        assert f"the {level}, listed again, still name it" in row["message"]


def read(exporter: Exporter, snapshot_id: str) -> dict[str, list[Row]]:
    return read_snapshot(exporter.output, snapshot_id).tables


@pytest.mark.parametrize("level", ["clouds", "folders", "registries"])
def test_what_its_parent_no_longer_names_has_vanished(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    gone = a_thing_of(cloud, level)
    cloud.faults = Faults(vanished={gone: 0})
    run = exporter_for(cloud).run()
    assert run.code == 0, run.stderr
    snapshot = run.snapshot()
    assert {row["status"] for row in rows_of(snapshot.tables, gone)} == {"vanished"}
    # What was listed before it vanished stays.
    assert gone in {row[f"{level[:-1].replace('ie', 'y')}_id"] for row in snapshot.tables[level]}
    calls = sum(row["calls"] for row in snapshot.tables["coverage"])
    assert calls == len(cloud.calls) == snapshot.manifest["requests"]["calls"]


def test_a_registry_whose_folder_is_deleted_with_it_has_vanished(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    folder = folder_of(cloud.estate, registry)
    # The first call about the folder lists its registries; it is gone after that.
    cloud.faults = Faults(vanished={folder: 1})
    run = exporter_for(cloud).run()
    assert run.code == 0, run.stderr
    rows = rows_of(run.snapshot().tables, registry)
    assert {row["status"] for row in rows} == {"vanished"}


def test_where_the_parent_cannot_be_listed_again_what_is_not_found_has_failed(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    gone = busiest_registry(cloud.estate)
    folder = folder_of(cloud.estate, gone)

    def deny() -> None:
        cloud.faults = Faults(vanished={gone: 0}, denied=frozenset({folder}))

    cloud.faults = Faults(vanished={gone: 0})
    cloud.calls.after(4, deny, lambda call: call.status == 404)
    run = exporter_for(cloud).run()
    assert run.code == 3, run.stderr
    statuses = {row["status"] for row in rows_of(run.snapshot().tables, gone)}
    assert statuses <= {"failed", "denied"}
    assert "failed" in statuses


@pytest.mark.parametrize("split", [True, False])
def test_a_404_on_a_later_page_keeps_what_came_and_says_that_there_is_more(
    split: bool, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(repositories=12, images=200, layers=1, empty_share=0.0)
    cloud = serve_cloud(shape, Behaviour(latency=0.002))
    registry = busiest_registry(cloud.estate)

    def hide() -> None:
        cloud.faults = Faults(unfound=frozenset({registry}))

    cloud.calls.after(6, hide)
    limits = {"page_size": 5, "concurrency": 2, "split_listings": split}
    run = exporter_for(cloud).start(sections={"limits": limits}, split_early=split).wait()
    assert run.code == 3, run.stderr
    snapshot = run.snapshot()
    assert snapshot.statuses()["images", registry] == "partial"
    assert 30 <= len(snapshot.tables["images"]) < 200


@pytest.mark.parametrize(
    ("life", "status"), [(3600.0, "vanished"), (-1.0, "failed")], ids=["once", "for ever"]
)
def test_a_page_token_that_is_forgotten_while_the_parent_is_listed_again_begins_that_anew(
    life: float, status: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(Shape(registries=4, repositories=4, images=20, layers=1))
    gone = busiest_registry(cloud.estate)
    parent = folder_of(cloud.estate, gone)

    def is_the_parents(call: LoggedCall) -> bool:
        return call.path.endswith("/registries") and call.query["folderId"] == parent

    def forget() -> None:
        # Tokens given so far have expired; those that follow are good for so long.
        cloud.behaviour = replace(cloud.behaviour, page_token_life=life)

    def wait_for_the_parent() -> None:
        cloud.calls.after(1, forget, is_the_parents)

    cloud.faults = Faults(vanished={gone: 0})
    cloud.calls.after(4, wait_for_the_parent, lambda call: call.status == 404)
    sections = {"limits": {"page_size": 2, "concurrency": 1}}
    run = exporter_for(cloud).run(sections=sections)
    assert cloud.calls.has_acted
    assert [call for call in cloud.calls if is_the_parents(call) and call.status == 400]
    statuses = run.snapshot().statuses()
    assert statuses["images", gone] == statuses["repositories", gone] == status
