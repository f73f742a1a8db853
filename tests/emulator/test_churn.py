"""Images that come and go while they are listed: what a listing still promises, and what not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from exporter.emulator import Faults, preset, steady_images
from tests.emulator.client import Caller, emulate, largest_registry

CHURN = Faults(rates={"appear": 0.15, "vanish": 0.15, "move-tag": 0.1}, seed=4, churn_span=10)
SHAPE = preset("giant-registry", images=800)


async def walk(caller: Caller, **given: object) -> list[dict[str, Any]]:
    registry = largest_registry(caller.estate)
    return await caller.list("images", registryId=registry, pageSize=50, **given)


@pytest.mark.parametrize("order_by", ["name", "created_at desc", "digest"])
async def test_an_ordered_listing_gives_what_was_there_throughout_exactly_once(
    order_by: str,
) -> None:
    async with emulate(SHAPE, faults=CHURN) as caller:
        counts = Counter(image["id"] for image in await walk(caller, orderBy=order_by))
        steady = {image["id"] for image in steady_images(caller.estate, CHURN)}
        assert set(counts.values()) == {1}
        assert steady <= counts.keys()
        assert len(steady) < len(counts) < SHAPE.images


async def test_an_unordered_listing_misses_some_and_repeats_some() -> None:
    async with emulate(SHAPE, faults=CHURN) as caller:
        counts = Counter(image["id"] for image in await walk(caller))
        steady = {image["id"] for image in steady_images(caller.estate, CHURN)}
        assert max(counts.values()) == 2
        assert steady - counts.keys()


async def test_after_all_has_happened_walks_agree_and_what_was_to_vanish_is_gone() -> None:
    async with emulate(SHAPE, faults=CHURN) as caller:
        first = await walk(caller, orderBy="name")
        second, third = await walk(caller, orderBy="name"), await walk(caller, orderBy="name")
        assert second == third != first


async def test_the_same_seed_churns_the_same() -> None:
    async with emulate(SHAPE, faults=CHURN) as caller:
        first = await walk(caller, orderBy="name")
    async with emulate(SHAPE, faults=CHURN) as caller:
        assert await walk(caller, orderBy="name") == first


async def test_a_moved_tag_can_be_seen_on_two_images_of_one_repository() -> None:
    async with emulate(SHAPE, faults=Faults(rates={"move-tag": 0.5}, churn_span=8)) as caller:
        images = await walk(caller, orderBy="name")
        assert [image["id"] for image in images] == [each["id"] for each in caller.estate.images()]
        tags = Counter((each["name"], tag) for each in images for tag in each.get("tags", []))
        assert max(tags.values()) == 2
        settled = await walk(caller, orderBy="name")
        tags = Counter((each["name"], tag) for each in settled for tag in each.get("tags", []))
        assert max(tags.values()) == 1
        assert settled != images
        before = sum(len(each.get("tags", [])) for each in caller.estate.images())
        assert tags.total() == before


async def test_without_churn_everything_is_steady() -> None:
    async with emulate(SHAPE) as caller:
        assert list(steady_images(caller.estate, Faults())) == list(caller.estate.images())
