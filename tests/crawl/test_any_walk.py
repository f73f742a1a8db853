"""Whatever a registry holds, and in whatever order its answers come: every image, and once."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.crawl.model import Alone, Image, Memory, Walked, World, walk
from tests.policies import NO_DESCENT, SURE

# Shrinking takes long, and the first failure says enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
PATHS = ("a", "a-1", "a.1", "a/1", "a1", "b", "b/c", "c", "d", "e", "f", "z")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a registry: few repositories or many, of any sizes, with times that tie or do not."""
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=len(PATHS), unique=True))
    most = draw(st.sampled_from([3, 10, 40]))
    seconds = draw(st.sampled_from([3, 1000]))
    images: list[Image] = []
    for path in paths:
        count = draw(st.integers(0, most))
        times = draw(
            st.lists(st.integers(0, seconds), min_size=count, max_size=count, unique=seconds > 100)
        )
        images += [Image(f"{path} {place}", path, at) for place, at in enumerate(times)]
    return World(
        images=tuple(images),
        listed=frozenset(paths),
        page_size=draw(st.integers(1, 9)),
        slots=draw(st.integers(1, 8)),
        seed=draw(st.integers(0, 99)),
    )


def run(world: World, memory: Memory | None = None, seed: int = 0) -> Walked:
    return asyncio.run(walk(world, memory or Memory(), random.Random(seed)))


def ids(world: World) -> set[str]:
    return {image.id for image in world.images}


def once(world: World) -> Counter[str]:
    return Counter(ids(world))


WORLDS = int(os.environ.get("WORLDS", "12"))
"""How many registries each test draws; where it has several kinds of servers, a third for each."""
COMMON = settings(
    max_examples=WORLDS,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
PER_KIND = settings(COMMON, max_examples=max(1, WORLDS // 3))


@COMMON
@given(worlds(), st.integers(0, 999))
def test_every_image_is_kept_once_whichever_scan_is_faster(world: World, seed: int) -> None:
    # An order is honoured here, so it need not be proven first.
    done = run(replace(world, policy=SURE), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged() == once(world)


@pytest.mark.parametrize(
    "server",
    [
        {"descending": "ignored"},
        {"descending": "unsorted"},
        {"descending": "refused"},
        {"order_by": "ignored"},
        {"order_by": "foreign"},
        {"order_by": "by name alone"},
        {"by_digest": "refused"},
        {"by_digest": "one by one"},
    ],
    ids=str,
)
@PER_KIND
@given(world=worlds(), seed=st.integers(0, 999))
def test_a_server_that_does_not_sort_as_asked_loses_nothing(
    server: dict[str, Any], world: World, seed: int
) -> None:
    done = run(replace(world, **server), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == ids(world)


SPLIT_ONLY = replace(NO_DESCENT, enough_in_order=0)
"""Splits much, and early: what no scan of the registry's own will see."""


@COMMON
@given(worlds(), st.sampled_from([0, 10, 50, 1_000]), st.integers(0, 999))
def test_a_split_keeps_no_image_twice_however_many_its_registrys_own_scans_have_listed(
    world: World, most: int, seed: int
) -> None:
    done = run(replace(world, policy=replace(SPLIT_ONLY, max_known_ids=most)), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged() == once(world)


@pytest.mark.parametrize("alone", ["unknown", "lost on the way", "forbidden", "invalid"])
@PER_KIND
@given(world=worlds(), data=st.data(), seed=st.integers(0, 999))
def test_a_repository_that_cannot_be_listed_alone_is_listed_with_its_registry(
    alone: Alone, world: World, data: st.DataObject, seed: int
) -> None:
    odd = data.draw(st.sets(st.sampled_from(sorted(world.listed)), min_size=1))
    done = run(replace(world, odd=frozenset(odd), alone=alone, policy=SPLIT_ONLY), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == ids(world)


@COMMON
@given(worlds(), st.data(), st.integers(0, 999))
def test_repositories_that_seem_empty_alone_are_not_lost_if_a_sample_shows_them(
    world: World, data: st.DataObject, seed: int
) -> None:
    odd = data.draw(st.sets(st.sampled_from(sorted(world.listed)), min_size=1))
    done = run(replace(world, odd=frozenset(odd), alone="empty", policy=SPLIT_ONLY), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == ids(world)


@pytest.mark.parametrize("by_digest", ["honoured", "refused", "empty first", "one by one"])
@PER_KIND
@given(world=worlds(), data=st.data(), seed=st.integers(0, 999))
def test_repositories_that_are_not_listed_are_not_lost_whatever_the_sample_is_like(
    by_digest: Any, world: World, data: st.DataObject, seed: int
) -> None:
    hidden = data.draw(st.sets(st.sampled_from(sorted(world.listed)), min_size=1))
    world = replace(world, listed=world.listed - hidden, by_digest=by_digest)
    done = run(replace(world, policy=SPLIT_ONLY), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == ids(world)


@COMMON
@given(worlds(), st.integers(0, 999))
def test_an_order_of_the_servers_own_that_looks_right_for_long_is_found_out(
    world: World, seed: int
) -> None:
    world = replace(world, order_by="created")
    digests = [image.digest for image in world.listing({})]
    assume(digests != sorted(digests))
    done = run(replace(world, policy=SPLIT_ONLY), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == ids(world)


@COMMON
@given(worlds(), st.data(), st.integers(0, 999))
def test_a_repository_deleted_meanwhile_is_no_reason_to_list_all_again(
    world: World, data: st.DataObject, seed: int
) -> None:
    gone = frozenset(data.draw(st.sets(st.sampled_from(sorted(world.listed)), min_size=1)))
    left = tuple(image for image in world.images if image.path not in gone)
    world = replace(world, images=left, odd=gone, alone="unknown", listed_later=world.listed - gone)
    with capture_logs() as logs:
        done = run(replace(world, policy=SPLIT_ONLY), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged() == once(world)
    assert [event for event in logs if event["event"] == "split_given_up"] == []


@COMMON
@given(worlds(), st.data(), st.integers(0, 999))
def test_what_lies_between_two_scans_needs_no_list_of_repositories(
    world: World, data: st.DataObject, seed: int
) -> None:
    listed = data.draw(st.sets(st.sampled_from(sorted(world.listed))))
    never_split = replace(SURE, min_pages_left=1e9)
    done = run(replace(world, listed=frozenset(listed), policy=never_split), seed=seed)
    assert done.entry.status == "complete"
    assert done.memory.staged() == once(world)


@COMMON
@given(worlds(), st.data(), st.integers(0, 999))
def test_repositories_named_one_by_one_are_listed_whole(
    world: World, data: st.DataObject, seed: int
) -> None:
    include = data.draw(st.sets(st.sampled_from(sorted(world.listed)), min_size=1))
    done = run(replace(world, include=tuple(include), policy=SURE), seed=seed)
    assert done.memory.staged() == Counter(
        image.id for image in world.images if image.path in include
    )


@COMMON
@given(
    worlds(),
    st.lists(st.tuples(st.integers(1, 25), st.integers(0, 3)), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 999),
)
def test_taken_up_again_nothing_is_lost_whatever_the_end_has_left(
    world: World, stops: list[tuple[int, int]], exact: bool, seed: int
) -> None:
    if exact:
        world = replace(world, include=tuple(sorted(world.listed)))
    chance = random.Random(seed)
    world = replace(world, policy=SURE)
    memory = Memory()
    for steps, lost in stops:
        memory.cancel_after = steps
        done = asyncio.run(walk(world, memory, chance))
        if done.entry.status is not None:
            break
        memory = Memory(before=memory.survives(chance, lost))
    else:
        done = asyncio.run(walk(world, memory, chance))
    assert done.entry.status == "complete"
    staged = done.memory.staged()
    assert staged.keys() == ids(world)


@pytest.mark.parametrize("page_size", [2 * 64, 7])
def test_more_ties_than_can_be_told_apart_may_come_twice_but_are_not_lost(page_size: int) -> None:
    images = tuple(Image(f"image {number}", "a", 7) for number in range(3 * 64))
    world = World(images, frozenset({"a"}), page_size=page_size)
    for seed in range(10):
        assert run(world, seed=seed).memory.staged().keys() == ids(world)


def test_times_are_no_reason_to_stop_before_any_were_seen_in_order() -> None:
    # Two scans come through repositories of one image each, and both into the same large one.
    sizes = {f"a{number:02d}": 1 for number in range(31)}
    sizes |= {"m": 40} | {f"z{number:02d}": 1 for number in range(31)}
    for seed in range(8):
        chance = random.Random(seed)
        images = tuple(
            Image(f"{path} {place}", path, chance.randrange(1000))
            for path, count in sizes.items()
            for place in range(count)
        )
        world = World(
            images, frozenset(sizes), page_size=8, order_by="by name alone", seed=seed, slots=2
        )
        done = run(world, seed=seed)
        assert done.entry.status == "complete"
        assert done.memory.staged().keys() == ids(world)
