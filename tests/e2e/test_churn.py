"""While the walk runs, images appear, vanish and change tags: those that stay are there once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.emulator import Behaviour, Faults, Shape, steady_images
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import world_of
from tests.oracle.compare import differences, without
from tests.oracle.listed import listed_tables

CHURN = {"appear": 0.15, "vanish": 0.15, "move-tag": 0.15}
SHAPES = {
    "a giant registry": Shape(repositories=20, images=400, layers=3, empty_share=0.0),
    "a giant repository": Shape(repositories=1, images=300, layers=3, empty_share=0.0),
    "many registries": Shape(
        clouds=2, folders=5, registries=12, repositories=40, images=400, layers=3
    ),
}


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize(
    ("shape", "seed"), list(zip(SHAPES.values(), (1, 2, 3), strict=True)), ids=SHAPES
)
def test_an_image_that_stays_is_there_exactly_once(
    shape: Shape, seed: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults(rates=CHURN, seed=seed, churn_span=20)
    cloud = serve_cloud(shape, Behaviour(latency=0.003, jitter=0.006), faults)
    # No key stands twice: the reader has checked that.
    tables = exporter_for(cloud).export({"limits": {"concurrency": 12}}).tables
    whole = listed_tables(world_of(cloud.estate))
    steady = {image["id"] for image in steady_images(cloud.estate, faults)}
    assert 0 < len(steady) < shape.images
    for name, key in (("images", ("image_id",)), ("layers", ("image_id", "position"))):
        wanted = [row for row in whole[name] if row["image_id"] in steady]
        found = [row for row in tables[name] if row["image_id"] in steady]
        # Tags move: what an image's tags are depends on the moment its page was cut.
        moving = ("tags", "tag_count")
        assert not differences(without(wanted, *moving), without(found, *moving), key)
        ever = {row["image_id"] for row in whole["images"]}
        assert {row["image_id"] for row in tables[name]} <= ever
