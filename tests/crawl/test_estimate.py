"""How many pages scans have left, and whether another way of listing is worth its calls."""

from __future__ import annotations

import math

import pytest

from exporter.http.types import Call
from exporter.sources.cloud.decode.order import Order, Position
from exporter.sources.cloud.split.estimate import (
    Sizes,
    equal_sizes,
    is_worth_meeting,
    is_worth_splitting,
    largest_first,
    pages_left,
    pages_of,
    registry_pages_left,
    sampled_pages_left,
    sampled_sizes,
)
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.summary import Seen

POLICY = SplitPolicy(
    min_pages_left=3.0, min_seconds_left=3.0, max_calls_per_page=5.0, max_decoding_share=0.5
)
CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")
SLOTS = 32


def page_of(name: str, seconds: float = 1.0) -> Seen:
    """Return what a page of ten images of one repository shows."""
    place = Position(name)
    order = Order(True, True, True, True, True, 0, place, place)
    return Seen(order, (name,), tuple(f"i{number}" for number in range(10)), seconds)


def scan_at(
    name: str,
    direction: Direction = Direction.ASCENDING,
    *,
    pages: int = 10,
    seconds: float = 1.0,
    repository: str | None = None,
) -> Scan:
    """Return a scan that has come to a repository; nowhere for an empty name."""
    scan = Scan(CALL, direction, repository, 10, 0, POLICY)
    if name:
        scan.take(page_of(name, seconds))
        scan.pages = pages
    return scan


def names_of(count: int) -> list[str]:
    return [f"crp1/app{number:03d}" for number in range(count)]


FORTY = equal_sizes(names_of(40))


def left(sizes: Sizes, scan: Scan, partner: Scan | None = None) -> float:
    return registry_pages_left(sizes, scan, partner, POLICY)


def is_worth(
    sizes: Sizes,
    up: Scan,
    down: Scan | None = None,
    slots: int = SLOTS,
    decoding: float = 0.0,
    fastest: float = math.inf,
) -> bool:
    return is_worth_splitting(
        sizes, up, down, slots=slots, fastest=fastest, decoding=decoding, policy=POLICY
    )


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
def test_a_split_is_worth_it_only_where_much_is_left(
    name: str, pages: int, seconds: float, worth: bool
) -> None:
    assert is_worth(FORTY, scan_at(name, pages=pages, seconds=seconds)) is worth


def test_a_split_is_worth_it_only_with_slots_for_what_it_costs() -> None:
    up = scan_at("crp1/app009")
    worth = [is_worth(FORTY, up, slots=slots) for slots in range(1, 2 * SLOTS)]
    assert worth == sorted(worth)
    assert {worth[0], worth[-1]} == {False, True}


def test_a_split_is_not_worth_it_if_decoding_takes_as_long_as_two_scans_that_meet() -> None:
    # Thirty pages are left, and two scans list them in fifteen seconds. Ten are decoded again, so
    # forty pages may take half of that.
    up = scan_at("crp1/app009")
    for down in (None, scan_at("", Direction.DESCENDING)):
        assert is_worth(FORTY, up, down, decoding=0.18)
        assert not is_worth(FORTY, up, down, decoding=0.19)


def test_a_split_saves_no_time_that_pages_only_wait_for_others() -> None:
    # Thirty pages are left, and three seconds are the least that a split must save.
    up = scan_at("crp1/app009")
    assert is_worth(FORTY, up, fastest=0.2)
    assert not is_worth(FORTY, up, fastest=0.02)


def test_nothing_is_split_of_a_registry_without_repositories() -> None:
    assert not is_worth(Sizes(), scan_at("crp1/app"))


def test_two_scans_leave_each_other_half_of_the_time() -> None:
    down = scan_at("", Direction.DESCENDING)
    # Thirty pages are left, and three seconds are the least.
    assert is_worth(FORTY, scan_at("crp1/app009", seconds=0.15))
    assert not is_worth(FORTY, scan_at("crp1/app009", seconds=0.15), down)
    assert is_worth(FORTY, scan_at("crp1/app009", seconds=0.25), down)


def test_a_sample_tells_how_much_is_left_and_which_are_large() -> None:
    up, down = scan_at("crp1/app003"), scan_at("", Direction.DESCENDING)
    last = names_of(40)[-1]
    shares = {**dict.fromkeys(names_of(39), 0.01), last: 0.61}
    sizes = sampled_sizes(names_of(40), shares, 100, POLICY.unseen_share)
    # Of a hundred images, one on each page.
    assert left(sizes, up) == pytest.approx(96)
    assert left(sizes, up, down) == pytest.approx(48)
    assert pages_of(sizes, last, up) == pytest.approx(61)
    assert pages_of(sizes, last, None) == 0.0
    assert largest_first(sizes) == [last, *names_of(39)]
    assert is_worth(sizes, up, down)
    few = sampled_sizes(names_of(40), shares, 3, POLICY.unseen_share)
    assert not is_worth(few, up, down)


def test_pages_left_follow_from_the_pace_of_a_scan() -> None:
    # Ten of forty repositories took ten pages.
    assert left(FORTY, scan_at("crp1/app009")) == 30.0
    up, down = scan_at("crp1/app009"), scan_at("crp1/app030", Direction.DESCENDING)
    assert left(FORTY, up, down) == left(FORTY, down, up) == 10.0


def test_before_its_first_page_a_scan_is_the_longer_the_more_repositories_are_listed() -> None:
    few, many = (left(equal_sizes(names_of(count)), scan_at("")) for count in (20, 200))
    assert many == 10 * few > 1.0


@pytest.mark.parametrize("sizes", [FORTY, Sizes()])
def test_a_repository_that_goes_on_for_pages_is_taken_to_go_on(sizes: Sizes) -> None:
    scan = scan_at("crp1/app039")
    before = left(sizes, scan)
    for _ in range(4):
        scan.take(page_of("crp1/app039"))
    assert left(sizes, scan) == before + 4


def test_a_repositorys_scan_has_left_what_a_sample_shows_less_what_it_has_read() -> None:
    name = names_of(40)[-1]
    sizes = sampled_sizes(names_of(40), {name: 0.5}, 100, POLICY.unseen_share)
    up = scan_at("crp1/app003")
    alone = scan_at(name, pages=10, repository=name)
    assert sampled_pages_left(sizes, alone, up) == pytest.approx(40)
    assert pages_left(sizes, alone, up, POLICY) == pytest.approx(40)
    # Without a sample, what has gone on for long tends to go on.
    assert pages_left(FORTY, alone, up, POLICY) == alone.pages + 1
    other = scan_at(name, Direction.DESCENDING, pages=20, repository=name)
    alone.partner, other.partner = other, alone
    assert sampled_pages_left(sizes, alone, up) == pytest.approx(10)


def test_a_second_scan_is_worth_it_where_pages_and_seconds_are_left() -> None:
    pages, seconds = POLICY.min_pages_before_down, POLICY.min_seconds_before_down
    assert is_worth_meeting(pages, seconds, POLICY)
    assert not is_worth_meeting(pages, 0.0, POLICY)
    assert not is_worth_meeting(pages / 2, 60.0, POLICY)
