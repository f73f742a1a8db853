"""Servers whose order does not hold: neither splitting nor ties at an edge lose an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.emulator import Behaviour, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

LIMITS = {"limits": {"concurrency": 12, "page_size": 10}}
REGISTRY = Shape(repositories=14, images=240, layers=1, empty_share=0.0)
REPOSITORY = Shape(repositories=1, images=160, layers=1, empty_share=0.0)


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shape", [REGISTRY, REPOSITORY], ids=["registry", "repository"])
def test_an_image_out_of_its_place_is_not_lost(
    shape: Shape, seed: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(shape, Behaviour(latency=0.003, misplaced=2, order_seed=seed))
    check_against(exporter_for(cloud).export(LIMITS), world_of(cloud.estate))


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("split", [True, False], ids=["split", "as one chain"])
@pytest.mark.parametrize(
    ("shape", "same_times"),
    [(REGISTRY, 3), (REGISTRY, 10_000), (REPOSITORY, 10_000)],
    ids=["registry 3", "registry", "repository"],
)
def test_equal_times_in_a_new_order_at_each_call_lose_nothing(
    shape: Shape,
    same_times: int,
    split: bool,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    moved = replace(shape, same_times=same_times)
    cloud = serve_cloud(moved, Behaviour(latency=0.003, ties="reshuffled"))
    limits = {"limits": {**LIMITS["limits"], "split_listings": split}}
    check_against(exporter_for(cloud).export(limits), world_of(cloud.estate))
