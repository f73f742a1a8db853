"""The tail of a registry: claims made from its end, and what they leave to the front."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.crawl import tail
from exporter.crawl.tail import Tail

NAMES = st.sets(st.text("ab/-.0", min_size=1, max_size=4).map("crp1/".__add__), max_size=12)


@settings(max_examples=150, deadline=None)
@given(NAMES, st.integers(0, 12))
def test_claims_are_a_tail_of_the_sorted_names(names: set[str], count: int) -> None:
    listed = Tail(names)
    claimed = []
    for _ in range(count):
        name = listed.last_unclaimed()
        if name is None:
            break
        listed.claim(name)
        claimed.append(name)
    assert claimed == sorted(names, reverse=True)[:count]
    assert listed.boundary == (claimed[-1] if claimed else None)
    unclaimed = sorted(names)[: len(names) - len(claimed)]
    assert listed.last_unclaimed() == (unclaimed[-1] if unclaimed else None)
    assert listed.passed_over(set()) == unclaimed
    assert listed.passed_over(set(unclaimed[::2])) == unclaimed[1::2]


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES, st.integers(1, 12))
def test_newcomers_are_the_strangers_behind_the_boundary(
    names: set[str], later: set[str], count: int
) -> None:
    listed = Tail(names)
    for _ in range(count):
        name = listed.last_unclaimed()
        if name is not None:
            listed.claim(name)
    boundary = listed.boundary
    behind = {name for name in later - names if boundary is not None and name >= boundary}
    assert listed.newcomers(later) == sorted(behind)


@settings(max_examples=100, deadline=None)
@given(NAMES, st.lists(st.integers(0, 11), max_size=6))
def test_the_boundary_only_ever_goes_down(names: set[str], order: list[int]) -> None:
    listed = Tail(names)
    claimed: list[str] = []
    for place in order:
        if place < len(names):
            claimed.append(sorted(names)[place])
            listed.claim(claimed[-1])
            assert listed.boundary == min(claimed)


def names_of(count: int) -> list[str]:
    return [f"crp1/app{number:03d}" for number in range(count)]


@pytest.fixture(autouse=True)
def _thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MIN_PAGES_LEFT", 3.0)
    monkeypatch.setattr(tail, "MIN_IMAGES_LEFT", 30.0)
    monkeypatch.setattr(tail, "MAX_REPOSITORIES_PER_PAGE", 5.0)


def test_pages_left_are_told_from_the_fronts_pace() -> None:
    listed = Tail(names_of(40))
    assert listed.pages_left("crp1/app009", 10) == 30.0
    for _ in range(20):
        name = listed.last_unclaimed()
        assert name is not None
        listed.claim(name)
    assert listed.pages_left("crp1/app009", 10) == 10.0
    assert listed.pages_left("crp1/app019", 10) == 0.0


@pytest.mark.parametrize(
    ("name", "pages", "images", "worth"),
    [
        ("crp1/app009", 10, 100, True),
        ("crp1/app039", 10, 100, False),  # nothing is left behind the front
        ("crp1/app038", 10, 100, False),  # less than a page is left
        ("crp1/app009", 10, 5, False),  # too few images are left to win time by it
        ("crp1/app009", 1, 100, False),  # too many repositories on a page: each costs a call
    ],
)
def test_stealing_is_worth_it_only_where_much_is_left(
    name: str, pages: int, images: int, worth: bool
) -> None:
    assert Tail(names_of(40)).worth_stealing(name, pages, images) is worth


@pytest.mark.parametrize("last", ["crp1/zUpper", "crp1/z_", "crp1/z//a", "crp1/z--a", "crp1/zü"])
def test_a_name_the_api_cannot_be_asked_for_is_not_claimed(last: str) -> None:
    assert Tail([*names_of(40), "crp1/z"]).worth_stealing("crp1/app009", 10, 100)
    assert not Tail([*names_of(40), last]).worth_stealing("crp1/app009", 10, 100)


def test_an_empty_list_has_nothing_to_steal() -> None:
    assert Tail().last_unclaimed() is None
    assert not Tail().worth_stealing("crp1/app", 10, 1000)
    assert "crp1/app" not in Tail()
