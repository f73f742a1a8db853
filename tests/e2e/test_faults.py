"""Faults that asking again mends: at up to a tenth of all calls, nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from exporter.emulator import Behaviour, Fault, Faults, Shape
from exporter.emulator.faults import CHURN, HOPELESS, PAGING, TRANSIENT
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

SHAPE = Shape(clouds=2, folders=4, registries=5, repositories=16, images=300, layers=3)
BOUNDS = {"page_size": 8, "request_timeout": 0.5, "max_page_bytes": 1 << 20}
"""Small pages make many calls; the rest is what ends a call that hangs, or that never ends."""
SIZES = Faults(oversize_bytes=2 << 20, drip_seconds=0.01, drip_bytes=512)
KINDS = sorted(set(Fault) - CHURN - HOPELESS - {Fault.CHANGED_TWICE})
THREES = [KINDS[start::13] for start in range(13)]
"""Every kind, beside two others: an export for each alone takes three times the time."""
MIXED: dict[str, dict[str, float]] = {
    "every transient kind": {kind: 0.1 / len(TRANSIENT) for kind in TRANSIENT},
    "every kind of odd paging": dict.fromkeys(PAGING - HOPELESS - {Fault.CHANGED_TWICE}, 0.025),
    "what gateways do": {"502": 0.03, "html": 0.02, "reset": 0.03, "truncated": 0.02},
}


@pytest.mark.parametrize("kinds", THREES, ids=" ".join)
def test_each_kind_of_fault_in_a_tenth_of_the_calls_loses_nothing(
    kinds: list[Fault], serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    check_with_faults(
        replace(SIZES, rates=dict.fromkeys(kinds, 0.1)), serve_cloud, exporter_for, hit=kinds
    )


@pytest.mark.parametrize("rates", MIXED.values(), ids=MIXED)
def test_mixed_faults_in_a_tenth_of_the_calls_lose_nothing(
    rates: dict[str, float], serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    check_with_faults(replace(SIZES, rates=rates, seed=3), serve_cloud, exporter_for)


def check_with_faults(
    faults: Faults,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    *,
    hit: Collection[Fault] = (),
) -> None:
    # The same pages in each run, so that the same calls are hit.
    cloud = serve_cloud(SHAPE, Behaviour(reshuffle=False), faults)
    snapshot = exporter_for(cloud).export({"limits": BOUNDS})
    assert cloud.calls.stats()["faults"].keys() >= {kind.value for kind in hit}
    assert cloud.calls.stats()["faults"], "no fault hit any call"
    check_against(snapshot, world_of(cloud.estate))
    # A request that was reset on its way was sent, and need not have been seen at the other end.
    assert snapshot.manifest["requests"]["calls"] >= len(cloud.calls)


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("repositories", [1, 20])
def test_mixed_faults_lose_nothing_of_a_registry_that_is_split(
    repositories: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(repositories=repositories, images=400, layers=3, empty_share=0.0)
    faults = replace(SIZES, rates=MIXED["every transient kind"], seed=5)
    cloud = serve_cloud(shape, Behaviour(latency=0.005, jitter=0.01), faults)
    snapshot = exporter_for(cloud).export({"limits": {**BOUNDS, "concurrency": 12}})
    check_against(snapshot, world_of(cloud.estate))
    assert any(" desc" in call.query.get("orderBy", "") for call in cloud.calls)


def test_listings_that_give_their_items_again_are_kept_and_counted_once(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    # After the last page comes the first one again, under a page token that is new.
    shape = Shape(clouds=6, folders=6, registries=6, repositories=12, images=60, layers=1)
    cloud = serve_cloud(shape, faults=Faults({"endless": 0.7}, seed=5))
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 4}})
    for listing in ("clouds", "folders", "registries", "repositories", "images"):
        assert [call for call in cloud.calls.of(listing) if call.fault == "endless"], listing
    check_against(snapshot, world_of(cloud.estate))


def test_a_slow_server_with_retry_after_is_waited_for(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults(rates={"429": 0.05}, retry_after=1.0, in_a_row=1)
    cloud = serve_cloud(SHAPE, faults=faults)
    snapshot = exporter_for(cloud).export({"limits": BOUNDS})
    check_against(snapshot, world_of(cloud.estate))
    throttled = cloud.calls.stats()["faults"]["429"]
    assert snapshot.manifest["requests"]["throttled"] == throttled
    # A connection that closed while the host was held costs one more.
    assert snapshot.manifest["requests"]["retries"] >= throttled


def test_an_image_that_two_pages_show_differently_stands_once_and_is_found(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=Faults(rates={"changed-twice": 0.2}))
    tables = exporter_for(cloud).export({"limits": BOUNDS}).tables
    found = {row["subject"]: row for row in tables["findings"] if row["kind"] == "image_changed"}
    assert found
    images = {row["image_id"]: row for row in tables["images"]}
    assert len(images) == len(tables["images"]) == 300
    for image in cloud.estate.images():
        row = images[image["id"]]
        tags = image.get("tags", [])
        changed = row["tags"] == [*tags, "changed-meanwhile"]
        assert row["tags"] == tags or (changed and image["id"] in found)
    for image_id, row in found.items():
        assert row["image_id"] == image_id
        assert row["repository_name"] == images[image_id]["repository_name"]
        assert row["registry_id"] == images[image_id]["registry_id"]
