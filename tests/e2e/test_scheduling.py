"""However the scheduler lists an estate, and whatever the server makes of it: the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.emulator import Behaviour, Estate, LoggedCall, Quirks, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

LATENCY = 0.005
SLOTS = {"limits": {"concurrency": 12, "page_size": 8}}
SHAPES = {
    "a giant registry": Shape(repositories=24, images=200, layers=2, empty_share=0.0),
    "a giant repository": Shape(repositories=1, images=120, layers=2, empty_share=0.0),
    "many small registries": Shape(
        clouds=2, folders=4, registries=30, repositories=60, images=150, layers=3
    ),
}
SERVERS = {
    "keeps to orderBy": Behaviour(),
    "ignores orderBy": Behaviour(order_by="ignored"),
    "refuses descending": Behaviour(descending="refused"),
    "ignores descending": Behaviour(descending="ignored"),
    "sorts as a language does": Behaviour(collation="words"),
}


class SilentEstate(Estate):
    """An estate whose repository lists are empty, though the images are there."""

    def repository(self, number: int) -> Any:
        return replace(super().repository(number), listed=False)

    def repositories(self, registry_id: str | None = None) -> Iterator[dict[str, Any]]:
        return (each for each in super().repositories(registry_id) if not each)


# tests/crawl/test_whole_walks.py crawls these shapes with each of the servers.
WAYS = [
    ("a giant registry", "keeps to orderBy"),
    ("a giant registry", "ignores orderBy"),
    ("a giant registry", "sorts as a language does"),
    ("a giant repository", "ignores descending"),
    ("a giant repository", "refuses descending"),
    ("many small registries", "keeps to orderBy"),
]


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize(("shape", "server"), WAYS)
def test_every_way_of_listing_gives_the_truth(
    shape: str,
    server: str,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    behaviour = replace(SERVERS[server], latency=LATENCY, jitter=LATENCY)
    cloud = serve_cloud(SHAPES[shape], behaviour)
    check_against(exporter_for(cloud).export(SLOTS), world_of(cloud.estate))


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("seed", [6, 12, 13, 20])
def test_a_refused_descent_makes_nothing_incomplete_whenever_the_refusal_comes(
    seed: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(
        seed=seed, repositories=4, images=300, layers=1, empty_share=0.0, repository_skew=0.0
    )
    # With answers this uneven, the descending scan is often refused after the other has ended.
    cloud = serve_cloud(shape, Behaviour(latency=0.002, jitter=0.08, descending="refused"))
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 8, "concurrency": 4}})
    check_against(snapshot, world_of(cloud.estate))
    # Each was refused, or given up before the refusal came.
    assert {call.status for call in descents(cloud)} in ({400}, {0}, {0, 400})


@pytest.mark.usefixtures("split_early")
def test_a_server_that_does_not_list_repositories_hides_no_image(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    estate = SilentEstate(SHAPES["a giant registry"])
    cloud = serve_cloud(estate, Behaviour(latency=LATENCY, jitter=LATENCY))
    check_against(exporter_for(cloud).export(SLOTS), world_of(cloud.estate))


def test_repositories_that_no_list_names_are_found_where_a_registry_is_too_short_to_split(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = replace(SHAPES["a giant registry"], quirks=Quirks(unlisted_repository=True))
    cloud = serve_cloud(shape, Behaviour(latency=LATENCY, jitter=LATENCY))
    snapshot = exporter_for(cloud).export(SLOTS)
    check_against(snapshot, world_of(cloud.estate))
    assert [row["subject"] for row in snapshot.tables["findings"]] == list(
        cloud.estate.unlisted_repositories()
    )


def test_without_splitting_each_registry_is_one_scan_with_the_same_rows(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPES["a giant registry"], Behaviour(latency=LATENCY))
    snapshot = exporter_for(cloud).export({"limits": {"split_listings": False, "page_size": 8}})
    check_against(snapshot, world_of(cloud.estate))
    assert not asked_by_repository(cloud)
    assert len(cloud.calls.of("images")) == 25  # 200 images on pages of 8


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("name", ["a giant registry", "a giant repository"])
def test_free_slots_take_a_part_of_what_is_giant(
    name: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPES[name], Behaviour(latency=0.03))
    exporter_for(cloud).export(SLOTS)
    assert asked_downwards(cloud)
    assert bool(asked_by_repository(cloud)) is (name == "a giant registry")


def test_a_registry_that_is_long_enough_is_split_without_being_told(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(repositories=16, images=1600, layers=1, empty_share=0.0, repository_skew=0.0)
    cloud = serve_cloud(shape, Behaviour(latency=0.1))
    snapshot = exporter_for(cloud).export({"limits": {"page_size": 50, "concurrency": 12}})
    check_against(snapshot, world_of(cloud.estate))
    assert asked_by_repository(cloud)
    assert asked_downwards(cloud)


def test_small_registries_cost_one_call_for_their_images_at_most(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPES["many small registries"], Behaviour(latency=LATENCY))
    exporter_for(cloud).export({"limits": {"page_size": 1000}})
    assert not asked_by_repository(cloud)
    assert len(cloud.calls.of("images")) <= 30


def asked_by_repository(cloud: Cloud) -> list[str]:
    """Return the repositories whose images were asked for alone."""
    names = (call.query.get("repositoryName") for call in cloud.calls.of("images"))
    return [name for name in names if name]


def asked_downwards(cloud: Cloud) -> bool:
    """Say whether images were asked for from the end of a listing."""
    return bool(descents(cloud))


def descents(cloud: Cloud) -> list[LoggedCall]:
    """Return the calls that asked for images from the end of a listing."""
    return [call for call in cloud.calls.of("images") if " desc" in call.query.get("orderBy", "")]


def test_small_registries_that_an_earlier_snapshot_knows_are_listed_by_their_folder(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPES["many small registries"], Behaviour(latency=LATENCY))
    exporter = exporter_for(cloud)
    exporter.export({"limits": {"page_size": 1000}}, snapshot_id="first")
    first = len(cloud.calls.of("images"))
    cloud.calls.clear()
    snapshot = exporter.export({"limits": {"page_size": 1000}}, snapshot_id="second")
    check_against(snapshot, world_of(cloud.estate))
    assert len(cloud.calls.of("images")) <= first / 3
    assert {"folderId"} <= {key for call in cloud.calls.of("images") for key in call.query}
