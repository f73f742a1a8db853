"""Servers whose order does not hold: what one scan finds is not lost, or the listing says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.crawl.model import Alone, Image, Memory, Walked, World, walk
from tests.policies import EARLY, NO_DESCENT, SURE

COMMON = settings(
    max_examples=12,
    deadline=None,
    # The same worlds each time: the soak draws others.
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
SEEDS = st.integers(0, 9999)


def run(world: World, seed: int, memory: Memory | None = None) -> Walked:
    return asyncio.run(walk(world, memory or Memory(), random.Random(seed)))


def world_of(chance: random.Random, *, times: int, repositories: int, images: int) -> World:
    paths = [f"{number:02d}" for number in range(repositories)]
    chosen = [chance.choice(paths) for _ in range(images)]
    made = tuple(
        Image(f"i{at}", path, chance.randrange(times) if times > 1 else 7)
        for at, path in enumerate(chosen)
    )
    size = chance.choice([3, 5, 10, 20])
    slots = chance.choice([2, 4, 8])
    return World(made, frozenset(paths), page_size=size, slots=slots, seed=chance.randrange(99))


def check_whole(done: Walked, world: World) -> None:
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == {image.id for image in world.images}


@COMMON
@given(SEEDS, st.integers(1, 4), st.sampled_from([1, 14]), st.booleans())
def test_images_out_of_their_place_are_not_lost(
    seed: int, misplaced: int, repositories: int, early: bool
) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=9999, repositories=repositories, images=120)
    world = replace(world, misplaced=misplaced, policy=SURE if early else EARLY)
    check_whole(run(world, seed), world)


@COMMON
@given(SEEDS, st.sampled_from(["the same", "by direction"]))
def test_nor_are_they_where_repositories_are_listed_one_by_one(seed: int, again: str) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=9999, repositories=14, images=120)
    world = replace(world, misplaced=3, misplaced_again=again, policy=NO_DESCENT)  # type: ignore[arg-type]
    check_whole(run(world, seed), world)


@COMMON
@given(SEEDS, st.integers(1, 3), st.sampled_from([1, 14]))
def test_images_that_stand_elsewhere_in_each_call_are_found_or_said_to_be_missing(
    seed: int, misplaced: int, repositories: int
) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=9999, repositories=repositories, images=120)
    world = replace(world, misplaced=misplaced, misplaced_again="by call", policy=NO_DESCENT)
    done = run(world, seed)
    if done.entry.status == "complete":
        check_whole(done, world)


@COMMON
@given(
    SEEDS,
    st.sampled_from(["by digest", "ignored", "refused"]),
    st.sampled_from([1, 5, 9999]),
    st.sampled_from([1, 14]),
)
def test_ties_lose_nothing_while_their_order_stays(
    seed: int, ties: str, times: int, repositories: int
) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=times, repositories=repositories, images=100)
    done = run(replace(world, ties=ties), seed)  # type: ignore[arg-type]
    check_whole(done, world)


@COMMON
@given(SEEDS, st.sampled_from([1, 60]), st.sampled_from([1, 14]))
def test_ties_in_a_new_order_at_each_call_are_listed_again_by_digest(
    seed: int, times: int, repositories: int
) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=times, repositories=repositories, images=100)
    done = run(replace(world, ties="reshuffled"), seed)
    check_whole(done, world)


@pytest.mark.parametrize("alone", ["forbidden", "unknown", "empty"])
def test_where_a_repeated_repository_cannot_be_listed_alone_its_registry_is_listed_again(
    alone: Alone,
) -> None:
    for seed in (5, 7, 23):
        world = world_of(random.Random(seed), times=20, repositories=1, images=8)
        world = replace(world, ties="reshuffled", page_size=2, descending="refused")
        check_whole(run(replace(world, odd=world.listed, alone=alone), seed), world)


def shuffled_worlds() -> Iterator[tuple[int, World]]:
    """Yield worlds in which no order is ever the same in two calls."""
    for seed in range(6):
        world = world_of(random.Random(seed), times=1, repositories=1, images=120)
        yield seed, replace(world, ties="reshuffled", order_by="ignored", page_size=10)
    # The fewer images there are, the more often do those of one page begin the next.
    for seed in range(30):
        chance = random.Random(seed)
        repositories, images = chance.choice([1, 3, 8]), chance.randrange(4, 20)
        world = world_of(chance, times=9999, repositories=repositories, images=images)
        size = chance.choice([2, 3, 4, 5])
        yield seed, replace(world, ties="reshuffled", order_by="ignored", page_size=size)


def test_what_comes_in_a_new_order_at_each_call_is_never_told_to_be_complete_unless_it_is() -> None:
    ends = set()
    for seed, world in shuffled_worlds():
        done = run(world, seed)
        ends.add(done.entry.status)
        if done.entry.status == "complete":
            check_whole(done, world)
        else:
            assert "may be missing" in (done.entry.message or "")
    assert "partial" in ends


@COMMON
@given(SEEDS, st.integers(5, 40), st.booleans())
def test_taken_up_again_nothing_is_lost_of_a_broken_order(
    seed: int, stop: int, shuffled: bool
) -> None:
    chance = random.Random(seed)
    world = world_of(chance, times=1 if shuffled else 99, repositories=14, images=100)
    world = replace(world, ties="reshuffled") if shuffled else replace(world, misplaced=2)
    memory = Memory(cancel_after=stop)
    done = run(world, seed, memory)
    if done.entry.status is None:
        done = run(world, seed + 1, Memory(before=memory.survives(chance, chance.randrange(3))))
    check_whole(done, world)
