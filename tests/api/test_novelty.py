"""Whether a listing still brings something new: loops of any length end, honest listings do not."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest

from exporter.sources.cloud.decode.sketch import sketch_of
from exporter.sources.cloud.novelty import MOST_EMPTY_PAGES, MOST_REMEMBERED, Novelty


def pages_until_it_ends(pages: Iterator[Sequence[str]], most: int) -> int | None:
    """Return after how many pages a listing is known to go on in vain; None if not by `most`."""
    novelty = Novelty()
    for number in range(1, most + 1):
        page = next(pages)
        novelty.add(sketch_of(page), len(page))
        if novelty.ended:
            return number
    return None


def ids(count: int, *, kind: str = "random") -> list[str]:
    chance = random.Random(count)
    if kind == "random":
        return [f"crp{chance.getrandbits(80):020x}" for _ in range(count)]
    numbers = range(count) if kind == "rising" else range(count, 0, -1)
    return [f"image-{number:09}" for number in numbers]


def turning(items: Sequence[str], size: int, *, shuffled: bool = False) -> Iterator[list[str]]:
    """Yield the pages of a listing over and over, in another order at each turn if `shuffled`."""
    chance = random.Random(1)
    items = list(items)
    while True:
        for start in range(0, len(items), size):
            yield items[start : start + size]
        if shuffled:
            chance.shuffle(items)


@pytest.mark.parametrize("kind", ["random", "rising", "falling"])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("count", "size"), [(1, 1), (6, 6), (7, 3), (300, 100), (20_000, 500)])
def test_a_loop_ends_whatever_its_length_and_order(
    count: int, size: int, shuffled: bool, kind: str
) -> None:
    turn = -(-count // size)
    ended = pages_until_it_ends(
        turning(ids(count, kind=kind), size, shuffled=shuffled), 20 * turn + 60
    )
    assert ended is not None
    assert ended > turn + 20


@pytest.mark.parametrize("kind", ["random", "rising", "falling"])
@pytest.mark.parametrize(("size", "step"), [(1, 1), (10, 10), (100, 3), (1000, 1000), (50, 1)])
def test_pages_that_overlap_do_not_end_as_long_as_something_new_comes(
    size: int, step: int, kind: str
) -> None:
    items = ids(min(400 * step + size, 60_000), kind=kind)
    pages = (items[start : start + size] for start in range(0, len(items) - size + 1, step))
    most = (len(items) - size) // step
    assert pages_until_it_ends(pages, most) is None


@pytest.mark.parametrize("named", ["{one:06}-{part}", "{part}-{one:06}"])
def test_a_listing_in_parts_does_not_end_however_its_ids_name_them(named: str) -> None:
    ids = [named.format(part=part, one=one) for part in range(10) for one in range(5000)]
    pages = (ids[start : start + 1000] for start in range(0, len(ids), 1000))
    assert pages_until_it_ends(pages, len(ids) // 1000) is None


def test_a_listing_that_begins_anew_once_is_heard_to_its_end() -> None:
    items = ids(3000)
    assert pages_until_it_ends(turning(items, 100), 2 * 30) is None


def test_a_listing_with_many_empty_pages_may_begin_anew_as_well() -> None:
    pages = (page for full in turning(ids(300), 100) for page in (full, [], [], [], []))
    assert pages_until_it_ends(pages, 2 * 3 * 5) is None


@pytest.mark.parametrize("shown", [0, 1, 500])
def test_empty_pages_without_end_are_not_asked_for_longer_after_many_with_items(shown: int) -> None:
    items = ids(shown * 10)
    full = (items[start : start + 10] for start in range(0, len(items), 10))
    pages = itertools.chain(full, itertools.repeat([]))
    assert pages_until_it_ends(pages, shown + 1000) == shown + MOST_EMPTY_PAGES + 1


def test_what_is_remembered_has_a_bound() -> None:
    novelty = Novelty()
    for page in range(3000):
        novelty.add(sketch_of([f"{page}-{one}" for one in range(20)]), 20)
    assert len(novelty._seen) <= MOST_REMEMBERED
