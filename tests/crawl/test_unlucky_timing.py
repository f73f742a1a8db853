"""Chains that end, fail or are doubted at the worst moment: still every image is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from exporter.sources.cloud.split.policy import SplitPolicy
from tests.crawl.model import Image, Memory, Walked, World, walk

Params = Mapping[str, str]


ANY_SECONDS = SplitPolicy(min_seconds_left=0.0, min_seconds_before_down=0.0)
NO_DESCENT = replace(ANY_SECONDS, min_pages_before_down=1e9)


def even(count: int, size: int, name: str = "a") -> dict[str, int]:
    return {f"{name}{number:02d}": size for number in range(count)}


def world_of(
    sizes: Mapping[str, int], page_size: int, slots: int = 6, policy: SplitPolicy = ANY_SECONDS
) -> World:
    paths = [path for path, size in sizes.items() for _ in range(size)]
    images = tuple(Image(f"{path} {at}", path, at) for at, path in enumerate(paths))
    return World(images, frozenset(sizes), page_size=page_size, slots=slots, policy=policy)


def run(world: World, seed: int, memory: Memory | None = None) -> Walked:
    world = replace(world, seed=seed)
    return asyncio.run(walk(world, memory or Memory(), random.Random(seed)))


def check_whole(done: Walked, world: World) -> None:
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == {image.id for image in world.images}


def is_of_the_registry(params: Params) -> bool:
    return "registryId" in params and params.get("orderBy") != "digest"


def test_a_descent_that_a_split_has_ended_is_not_met_once_that_is_doubted() -> None:
    def seconds(params: Params) -> float:
        if "repositoryName" in params:
            return 0.05
        late = int(params.get("pageToken", "0")) >= 150
        return 0.12 * (params.get("orderBy") == "name,created_at" and late)

    world = world_of(even(60, 10), 50, slots=4)
    world = replace(world, seconds=seconds, odd=world.listed, alone="forbidden")
    for seed in range(4):
        check_whole(run(world, seed), world)


@pytest.mark.parametrize("doubt", ["refused", "hidden"])
def test_a_cut_that_was_kept_is_not_obeyed_once_what_it_relied_on_is_doubted(doubt: str) -> None:
    world = world_of(even(12, 20), 20)
    if doubt == "hidden":
        world = replace(world, listed=world.listed - {"a08"})
    else:
        world = replace(world, by_digest="refused")
    # The first attempt ends before the witness has said anything.
    late = replace(world, seconds=lambda params: 0.2 * (params.get("orderBy") == "digest"))
    for seed in range(15):
        memory = Memory(cancel_after=12 + seed % 25)
        if run(late, seed, memory).entry.status is None:
            again = Memory(before=memory.survives(random.Random(seed), 0))
            check_whole(run(world, seed, again), world)


def test_a_list_that_names_others_than_before_is_what_is_relied_on() -> None:
    world = world_of(even(12, 20), 20, policy=NO_DESCENT)
    for seed in range(16):
        memory = Memory(cancel_after=10 + seed % 15)
        if run(world, seed, memory).entry.status is not None:
            continue
        for again in (
            replace(world, listed=frozenset(), list_is_whole=False),
            replace(world, listed=world.listed - {"a00"}),
        ):
            left = Memory(before=memory.survives(random.Random(seed), 0))
            check_whole(run(again, seed, left), world)


def test_a_chain_that_no_order_is_promised_of_does_not_stop_at_claims() -> None:
    def refuses(params: Params, calls: int) -> bool:
        return is_of_the_registry(params) and "orderBy" in params and calls > 12

    world = replace(
        world_of(even(30, 10), 20, policy=NO_DESCENT),
        seconds=lambda params: 0.005 * is_of_the_registry(params),
        refuses=refuses,
    )
    for seed in range(8):
        check_whole(run(world, seed), world)
