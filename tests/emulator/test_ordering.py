"""The order of listings: by each documented key, and none that can be relied on without."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from exporter.emulator import Behaviour, Quirks, preset
from exporter.emulator.estate import Estate
from exporter.emulator.ordering import Orders
from tests.emulator.client import SMALL, emulate, ids, largest_registry


async def test_name_order_walks_repositories_by_the_bytes_of_their_names() -> None:
    async with emulate(preset("giant-registry", images=400)) as caller:
        registry = largest_registry(caller.estate)
        names = [each["name"] for each in await caller.list(
            "images", registryId=registry, orderBy="name", pageSize=90)]  # fmt: skip
        assert names == sorted(names)
        listed = await caller.list("repositories", registryId=registry, orderBy="name")
        assert [each["name"] for each in listed] == sorted(set(names))
        backwards = await caller.list("repositories", registryId=registry, orderBy="name desc")
        assert backwards == listed[::-1]


def moment(image: dict[str, Any]) -> str:
    """A time that sorts as text, whatever number of digits it has."""
    text = image.get("createdAt", "1970-01-01T00:00:00Z").rstrip("Z")
    seconds, _, fraction = text.partition(".")
    return f"{seconds}.{fraction:0<9}"


# What does not sort as text is sorted by the moment that it stands for, or stood for.
READABLE = replace(Quirks.all(), offset_times=False, bad_values=False)


@pytest.mark.parametrize("quirks", [Quirks(), READABLE], ids=["demo", "quirks"])
async def test_every_documented_key_sorts_alone_reversed_and_with_others(quirks: Quirks) -> None:
    async with emulate(replace(preset("quirks", images=300), quirks=quirks)) as caller:
        registry = largest_registry(caller.estate)

        async def ordered(order_by: str) -> list[dict[str, Any]]:
            return await caller.list("images", registryId=registry, orderBy=order_by, pageSize=50)

        everything = sorted(ids(list(caller.estate.images(registry))))
        digests = [each["digest"] for each in await ordered("digest")]
        assert digests == sorted(digests)
        times = [moment(each) for each in await ordered("created_at desc")]
        assert times == sorted(times, reverse=True)
        both = [(each["name"], moment(each)) for each in await ordered("name asc, created_at")]
        assert both == sorted(both)
        mixed = [each["name"] for each in await ordered("name desc,digest")]
        assert mixed == sorted(mixed, reverse=True)
        modified = await ordered("last_modified")
        assert sorted(ids(modified)) == everything
        assert ids(modified) == ids(await ordered("last_modified desc"))[::-1]


@pytest.mark.parametrize("same_times", [1, 3])
@pytest.mark.parametrize("collation", ["bytes", "words"])
def test_an_order_by_name_first_is_that_of_one_sort(collation: str, same_times: int) -> None:
    shape = replace(preset("quirks", images=300), same_times=same_times)
    estate = Estate(shape)
    orders = Orders(estate, collation=collation)
    registry = largest_registry(estate)
    repository = estate.image_numbers(registry)[len(estate.image_numbers(registry)) // 2]
    scopes = [estate.image_numbers(), estate.image_numbers(registry)]
    scopes += [estate.repository_images(repository), range(0)]
    for name, time, digest in product((False, True), repeat=3):
        keys = ("name", name), ("created_at", time), ("digest", digest)
        for numbers, some in product(scopes, (keys, keys[:2], keys[::2])):
            in_one = sorted(numbers, key=orders.sort_key(some))
            by_parts = orders.images(numbers, some)
            assert [*by_parts] == in_one
            # A page may begin anywhere.
            assert [by_parts[place] for place in reversed(range(len(numbers)))] == in_one[::-1]


async def test_a_language_collation_puts_punctuation_last() -> None:
    shape = preset("giant-registry", images=2000)
    async with emulate(shape, Behaviour(collation="words")) as caller:
        registry = largest_registry(caller.estate)
        found = await caller.list("images", registryId=registry, orderBy="name", pageSize=1000)
        names = [each["name"] for each in found]
        assert names != sorted(names)
        assert names == sorted(names, key=lambda name: (re.sub(r"\W|_", "", name), name))
        listed = await caller.list("repositories", registryId=registry, orderBy="name")
        assert [each["name"] for each in listed] == list(dict.fromkeys(names))


async def test_descending_can_be_refused_or_ignored_and_order_by_too() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        given = {"registryId": registry, "pageSize": 1000}
        ascending = await caller.list("images", orderBy="digest", **given)
        caller.emulator.behaviour = Behaviour(descending="refused")
        assert (await caller.get("images", orderBy="digest desc", **given)).status == 400
        caller.emulator.behaviour = Behaviour(descending="ignored")
        assert await caller.list("images", orderBy="digest desc", **given) == ascending
        caller.emulator.behaviour = Behaviour(order_by="ignored")
        ignored = await caller.list("images", orderBy="digest", **given)
        assert ignored != ascending
        assert sorted(ids(ignored)) == sorted(ids(ascending))


async def test_without_an_order_every_walk_is_another_but_complete() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        truth = ids(list(caller.estate.images(registry)))
        walks = [ids(await caller.list("images", registryId=registry, pageSize=30))
                 for _ in range(3)]  # fmt: skip
        assert len({tuple(walk) for walk in [*walks, truth]}) == 4
        assert all(sorted(walk) == sorted(truth) for walk in walks)


async def test_without_reshuffling_walks_are_the_same_until_the_order_seed_differs() -> None:
    fixed = Behaviour(reshuffle=False)
    async with emulate(SMALL, fixed) as caller:
        registry = largest_registry(caller.estate)
        walk = await caller.list("images", registryId=registry)
        assert await caller.list("images", registryId=registry) == walk
        caller.emulator.behaviour = replace(fixed, order_seed=1)
        assert await caller.list("images", registryId=registry) != walk
