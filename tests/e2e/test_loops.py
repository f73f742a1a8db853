"""Listings that show the same pages for ever, under new page tokens, end as broken ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.emulator import Behaviour, Faults, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import busiest_registry

SHAPE = Shape(clouds=3, folders=6, registries=6, repositories=30, images=150, layers=1)
LOOPING = Faults({"looping": 1.0})
MOST_CALLS = 300
"""What a run of such an estate may take at most, where one listing of it never ends."""


def test_images_that_come_again_for_ever_end_their_registry_as_partial(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    cloud.faults = replace(LOOPING, scopes=frozenset({"images"}), turns=3)
    # Two chains that meet would have shown everything before either of them runs in circles.
    run = exporter_for(cloud).run(sections={"limits": {"split_listings": False}})
    assert run.code == 3, run.stderr
    assert len(cloud.calls) < MOST_CALLS
    snapshot = run.snapshot()
    assert snapshot.statuses()["images", registry] == "partial"
    (row,) = (
        r
        for r in snapshot.tables["coverage"]
        if r["parent_id"] == registry and r["listing"] == "images"
    )
    assert "nothing but what this listing has shown before" in row["message"]
    listed = {row["image_id"] for row in snapshot.tables["images"]}
    assert listed < {image["id"] for image in cloud.estate.images()}


@pytest.mark.parametrize("order_by", ["honoured", "ignored"])
def test_a_long_registry_that_loops_ends_though_it_is_split(
    order_by: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(repositories=20, images=400, layers=1, empty_share=0.0)
    behaviour = Behaviour(latency=0.002, order_by=order_by)  # type: ignore[arg-type]
    faults = replace(LOOPING, scopes=frozenset({"images"}), turns=4)
    cloud = serve_cloud(shape, behaviour, faults)
    exporter = exporter_for(cloud)
    run = exporter.start(sections={"limits": {"page_size": 5}}, split_early=True).wait()
    assert run.code in (0, 3), run.stderr
    assert len(cloud.calls) < 4 * MOST_CALLS
    snapshot = run.snapshot()
    everything = {image["id"] for image in cloud.estate.images()}
    listed = {row["image_id"] for row in snapshot.tables["images"]}
    assert snapshot.manifest["status"] == "partial" or listed == everything


@pytest.mark.parametrize("listing", ["clouds", "folders", "registries", "repositories"])
def test_resources_that_come_again_for_ever_make_a_snapshot_partial(
    listing: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=replace(LOOPING, scopes=frozenset({listing})))
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 2}})
    assert len(cloud.calls) < MOST_CALLS * 3
    statuses = {status for (kind, _), status in snapshot.statuses().items() if kind == listing}
    assert "partial" in statuses
    assert statuses <= {"partial", "complete"}  # Where there is nothing, nothing comes again.
    assert snapshot.manifest["status"] == "partial"


@pytest.mark.parametrize("listing", ["repositories", "images"])
def test_empty_pages_for_ever_end_their_listing(
    listing: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=Faults({"empty-page": 1.0}, scopes=frozenset({listing})))
    registries = [registry["id"] for registry in cloud.estate.registries()]
    snapshot = exporter_for(cloud).export({"scope": {"registries": registries[:1]}})
    assert len(cloud.calls) < MOST_CALLS
    assert snapshot.statuses()[listing, registries[0]] == "partial"
    assert snapshot.manifest["status"] == "partial"


def test_pages_that_overlap_and_stall_end_no_honest_listing(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults({"empty-page": 0.2, "short-page": 0.3, "changed-twice": 0.2})
    # On pages of fewer images, ties in a new order would look the same, so that it is partial.
    cloud = serve_cloud(replace(SHAPE, images=700), faults=faults)
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 20}})
    assert snapshot.manifest["status"] == "complete"
    listed = {row["image_id"] for row in snapshot.tables["images"]}
    assert listed == {image["id"] for image in cloud.estate.images()}
