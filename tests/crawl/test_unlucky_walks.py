"""Chains that end, fail or are doubted at the worst moment: still every image is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from exporter.crawl import block, chains
from tests.crawl.model import REGISTRY, Image, Memory, Walked, World, walk

Params = Mapping[str, str]


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "MIN_SECONDS_LEFT", 0.0)
    monkeypatch.setattr(chains, "MIN_SECONDS_BEFORE_DOWN", 0.0)


@pytest.fixture
def _no_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MIN_PAGES_BEFORE_DOWN", 1e9)


def even(count: int, size: int, name: str = "a") -> dict[str, int]:
    return {f"{name}{number:02d}": size for number in range(count)}


def world_of(sizes: Mapping[str, int], page_size: int, slots: int = 6) -> World:
    paths = [path for path, size in sizes.items() for _ in range(size)]
    images = tuple(Image(f"{path} {at}", path, at) for at, path in enumerate(paths))
    return World(images, frozenset(sizes), page_size=page_size, slots=slots)


def run(world: World, seed: int, memory: Memory | None = None) -> Walked:
    world = replace(world, seed=seed)
    return asyncio.run(walk(world, memory or Memory(), random.Random(seed)))


def check_whole(done: Walked, world: World) -> None:
    assert done.entry.status == "complete"
    assert done.memory.staged().keys() == {image.id for image in world.images}


def is_of_the_registry(params: Params) -> bool:
    return "registryId" in params and params.get("orderBy") != "digest"


def test_a_front_that_was_cut_on_its_last_page_leaves_what_is_behind_to_the_descent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    following: Callable[..., str | None] = block.Block.next
    # One repository is claimed, and no more, as it is when slots run out.
    monkeypatch.setattr(
        block.Block, "next", lambda own, *ends: None if own else following(own, *ends)
    )
    monkeypatch.setattr(block.Block, "largest", lambda *_: None)
    world = replace(
        world_of(even(6, 40) | even(14, 1, "b"), 40),
        seconds=lambda params: 0.05 * ("desc" in params.get("orderBy", "")),
    )
    for seed in range(10):
        check_whole(run(world, seed), world)


def test_a_descent_that_has_ended_at_claims_is_not_met_once_they_are_doubted() -> None:
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


@pytest.mark.usefixtures("_no_descent")
def test_a_list_that_does_not_name_what_was_claimed_before_is_not_relied_on() -> None:
    world = world_of(even(12, 20), 20)
    for seed in range(16):
        memory = Memory(cancel_after=10 + seed % 15)
        if run(world, seed, memory).entry.status is not None:
            continue
        for again in (
            replace(world, listed=frozenset(), list_is_whole=False),
            replace(world, listed=world.listed - claimed(memory)),
        ):
            left = Memory(before=memory.survives(random.Random(seed), 0))
            check_whole(run(again, seed, left), world)


def claimed(memory: Memory) -> set[str]:
    names = sorted(one[1] for one in memory.log if isinstance(one, tuple) and one[2] == "alone")
    return {names[len(names) // 2].removeprefix(f"{REGISTRY}/")} if names else set()


@pytest.mark.usefixtures("_no_descent")
def test_a_chain_that_no_order_is_promised_of_does_not_stop_at_claims() -> None:
    def refuses(params: Params, calls: int) -> bool:
        return is_of_the_registry(params) and "orderBy" in params and calls > 12

    world = replace(
        world_of(even(30, 10), 20),
        seconds=lambda params: 0.005 * is_of_the_registry(params),
        refuses=refuses,
    )
    for seed in range(8):
        check_whole(run(world, seed), world)


class Vanishing(World):
    """A registry from whose chains a repository has gone as soon as it is listed ahead."""

    def listing(self, params: Mapping[str, str]) -> list[Image]:
        images = super().listing(params)
        if is_of_the_registry(params):
            images = [image for image in images if image.path != "a12"]
        return images


@pytest.mark.parametrize("descends", [True, False])
def test_a_repository_listed_ahead_that_no_chain_meets_is_no_reason_to_wait(
    descends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not descends:
        monkeypatch.setattr(chains, "MIN_PAGES_BEFORE_DOWN", 1e9)
    plain = world_of(even(30, 10) | {"a12": 300}, 20)
    world = Vanishing(
        plain.images,
        plain.listed,
        page_size=20,
        slots=6,
        seconds=lambda params: 0.002 * is_of_the_registry(params),
    )
    for seed in range(8):
        assert run(world, seed).entry.status == "complete"


@pytest.mark.usefixtures("_no_descent")
def test_a_contradiction_about_claims_that_the_front_never_met_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only what is behind all images is claimed, as it is when slots run out.
    following: Callable[..., str | None] = block.Block.next
    monkeypatch.setattr(
        block.Block,
        "next",
        lambda *given: name if (name := following(*given)) and "/b" in name else None,
    )
    world = replace(world_of(even(8, 20), 20), odd=frozenset({"b0", "b1"}), alone="unknown")
    world = replace(world, listed=world.listed | world.odd)
    for seed in range(8):
        check_whole(run(world, seed), world)
