"""Servers whose slow answers and refusals come at the worst moment: still every image is kept."""

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


def world_of(
    repositories: int,
    images: int,
    page_size: int,
    *,
    slots: int = 6,
    policy: SplitPolicy = ANY_SECONDS,
) -> World:
    """Return a registry of so many repositories, with so many images in each."""
    names = [f"a{number:02d}" for number in range(repositories)]
    paths = [name for name in names for _ in range(images)]
    made = tuple(Image(f"{path} {at}", path, at) for at, path in enumerate(paths))
    return World(made, frozenset(names), page_size=page_size, slots=slots, policy=policy)


def run(world: World, seed: int, memory: Memory | None = None) -> Walked:
    world = replace(world, seed=seed)
    return asyncio.run(walk(world, memory or Memory(), random.Random(seed)))


def resume(stopped: Memory, world: World, seed: int) -> Walked:
    """Run on, from all that a stopped run has stored."""
    return run(world, seed, Memory(before=stopped.survives(random.Random(seed), 0)))


def check_whole(done: Walked, world: World) -> None:
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == {image.id for image in world.images}


# What a call asks for.


def is_of_a_repository(params: Params) -> bool:
    return "repositoryName" in params


def is_a_sample(params: Params) -> bool:
    return params.get("orderBy") == "digest"


def is_of_the_registry(params: Params) -> bool:
    return not (is_of_a_repository(params) or is_a_sample(params))


# How servers answer it.


def slow_late_pages(params: Params) -> float:
    """Return the seconds of a server whose ascending pages are slow behind the 150th image."""
    if is_of_a_repository(params):
        return 0.05
    late = int(params.get("pageToken", "0")) >= 150
    return 0.12 if late and params.get("orderBy") == "name,created_at" else 0.0


def slow_samples(params: Params) -> float:
    return 0.2 if is_a_sample(params) else 0.0


def slow_registries(params: Params) -> float:
    return 0.005 if is_of_the_registry(params) else 0.0


def takes_no_order_after_twelve_calls(params: Params, calls: int) -> bool:
    return is_of_the_registry(params) and "orderBy" in params and calls > 12


def test_a_descending_scan_that_a_split_has_ended_is_not_met_once_the_split_is_abandoned() -> None:
    world = world_of(60, 10, 50, slots=4)
    world = replace(world, seconds=slow_late_pages, odd=world.listed, alone="forbidden")
    for seed in range(4):
        check_whole(run(world, seed), world)


@pytest.mark.parametrize("found", ["no sample", "an unlisted repository"])
def test_a_stored_cut_is_not_repeated_once_what_it_relied_on_is_doubted(found: str) -> None:
    world = world_of(12, 20, 20)
    if found == "no sample":
        world = replace(world, by_digest="refused")
    else:
        world = replace(world, listed=world.listed - {"a08"})
    resumed = 0
    for seed in range(15):
        memory = Memory(cancel_after=12 + seed % 25)
        # The first attempt ends before the sample has come.
        if run(replace(world, seconds=slow_samples), seed, memory).entry.status is None:
            resumed += 1
            check_whole(resume(memory, world, seed), world)
    assert resumed


def test_a_resumed_run_relies_on_the_list_of_today() -> None:
    world = world_of(12, 20, 20, policy=NO_DESCENT)
    resumed = 0
    for seed in range(16):
        memory = Memory(cancel_after=10 + seed % 15)
        if run(world, seed, memory).entry.status is not None:
            continue
        resumed += 1
        for today in (
            replace(world, listed=frozenset(), list_is_whole=False),
            replace(world, listed=world.listed - {"a00"}),
        ):
            check_whole(resume(memory, today, seed), world)
    assert resumed


def test_a_server_that_takes_no_order_any_more_gets_the_whole_registry_listed() -> None:
    world = replace(
        world_of(30, 10, 20, policy=NO_DESCENT),
        seconds=slow_registries,
        refuses=takes_no_order_after_twelve_calls,
    )
    for seed in range(8):
        check_whole(run(world, seed), world)
