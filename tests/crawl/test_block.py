"""A registry's repositories: how much of it is left, and whether to list each of them alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from exporter.http.types import Call
from exporter.sources.cloud.decode.order import Order, Position
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.summary import Seen

POLICY = SplitPolicy(min_pages_left=3.0, min_seconds_left=3.0, max_calls_per_page=5.0)
CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def page_of(name: str) -> Seen:
    """Return what a page of ten images of one repository shows."""
    place = Position(name)
    order = Order(True, True, True, True, True, 0, place, place)
    return Seen(order, (name,), tuple(f"i{number}" for number in range(10)))


def chain_at(
    name: str, direction: Direction = Direction.ASCENDING, *, pages: int = 10, seconds: float = 1.0
) -> Scan:
    """Return a registry's chain that has come to a repository; nowhere for an empty name."""
    chain = Scan(CALL, direction, None, 10, 0, POLICY)
    if name:
        chain.observe(page_of(name))
        chain.pages = pages
        chain.took(seconds)
    return chain


def partition_of(names: Iterable[str], slots: int = 0) -> RepositoryPartition:
    return RepositoryPartition(names, slots, POLICY)


def names_of(count: int) -> list[str]:
    return [f"crp1/app{number:03d}" for number in range(count)]


def test_strangers_are_what_was_not_listed() -> None:
    listed = partition_of(names_of(3))
    assert listed.unlisted([*names_of(2), "crp1/z", "crp1/a"]) == ["crp1/a", "crp1/z"]


@pytest.mark.parametrize(
    ("name", "pages", "seconds", "worth"),
    [
        ("crp1/app009", 10, 1.0, True),
        ("crp1/app039", 10, 1.0, False),  # nothing is left
        ("crp1/app038", 10, 1.0, False),  # less than a page is left
        ("crp1/app009", 10, 0.09, False),  # too little time is won by it
        ("crp1/app009", 1, 1.0, False),  # too many repositories on a page: each costs a call
        ("crp1/app033", 34, 1.0, False),  # too much was listed that would be listed again
        ("", 0, 1.0, False),  # nothing has come yet
    ],
)
def test_listing_alone_is_worth_it_only_where_much_is_left(
    name: str, pages: int, seconds: float, worth: bool
) -> None:
    up = chain_at(name, pages=pages, seconds=seconds)
    assert partition_of(names_of(40), 32).is_worth_splitting(up, None) is worth


@pytest.mark.parametrize(("slots", "worth"), [(2, False), (5, False), (6, True)])
def test_listing_alone_is_worth_it_only_with_slots_for_what_it_costs(
    slots: int, worth: bool
) -> None:
    up = chain_at("crp1/app009")  # Eighty calls for the thirty pages that are left.
    assert partition_of(names_of(40), slots).is_worth_splitting(up, None) is worth


def test_two_chains_leave_each_other_half_of_the_time() -> None:
    up, down = chain_at("crp1/app009", seconds=0.25), chain_at("", Direction.DESCENDING)
    assert partition_of(names_of(40), 32).is_worth_splitting(up, None)
    assert partition_of(names_of(40), 32).is_worth_splitting(up, down)
    up = chain_at("crp1/app009", seconds=0.15)
    assert partition_of(names_of(40), 32).is_worth_splitting(up, None)
    assert not partition_of(names_of(40), 32).is_worth_splitting(up, down)


def test_a_sample_tells_how_much_is_left_and_which_are_large() -> None:
    up, down = chain_at("crp1/app003"), chain_at("", Direction.DESCENDING)
    listed = partition_of(names_of(40), 99)
    even, last = dict.fromkeys(names_of(39), 0.01), names_of(40)[-1]
    listed.weigh({**even, last: 0.61}, 100)
    assert listed.pages_left(up) == pytest.approx(96)
    assert listed.pages_left(up, down) == pytest.approx(48)
    assert listed.pages_of(last, up) == pytest.approx(61)
    assert [name for name in listed.names if listed.is_large(name, up)] == [last]
    assert listed.names == [last, *names_of(39)]
    assert listed.is_worth_splitting(up, down)
    listed.weigh({**even, last: 0.61}, 3)
    assert not listed.is_worth_splitting(up, down)


@pytest.mark.parametrize("last", ["crp1/zUpper", "crp1/z_", "crp1/z//a", "crp1/z--a", "crp1/zü"])
def test_where_the_api_cannot_be_asked_for_a_name_none_is_listed_alone(last: str) -> None:
    up = chain_at("crp1/app009")
    assert partition_of([*names_of(40), "crp1/z"], 32).is_worth_splitting(up, None)
    assert not partition_of([*names_of(40), last], 32).is_worth_splitting(up, None)


def test_pages_left_are_told_from_a_chains_pace() -> None:
    listed = partition_of(names_of(40), 32)
    assert listed.pages_left(chain_at("crp1/app009")) == 30.0
    up, down = chain_at("crp1/app009"), chain_at("crp1/app030", Direction.DESCENDING)
    assert (listed.pages_left(up, down), listed.pages_left(down, up)) == (10.0, 10.0)


def test_before_its_first_page_a_chain_is_the_longer_the_more_repositories_are_listed() -> None:
    few, many = (partition_of(names_of(count), 32).pages_left(chain_at("")) for count in (20, 200))
    assert many == 10 * few > 1.0


def test_a_repository_that_goes_on_for_pages_is_taken_to_go_on() -> None:
    chain = chain_at("crp1/app039")
    for _ in range(4):
        chain.observe(page_of("crp1/app039"))
    assert partition_of(names_of(40), 32).pages_left(chain) == 6.0
    assert partition_of(()).pages_left(chain) == 6.0


def test_an_empty_list_has_nothing_to_list_alone() -> None:
    assert not partition_of((), 32).is_worth_splitting(chain_at("crp1/app"), None)
    assert "crp1/app" not in partition_of(())
