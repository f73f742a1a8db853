"""The block: claims made between two chains, and what they leave to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api import Call
from exporter.crawl import block
from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain, Mode
from exporter.tables.order import Order, Position

NAMES = st.sets(st.text("ab/-.0", min_size=1, max_size=4).map("crp1/".__add__), max_size=12)
CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def chain_at(
    name: str, mode: Mode = Mode.UP, *, pages: int = 10, seconds: float = 1.0
) -> ImagesChain:
    """Return a registry's chain that has come to a repository; nowhere for an empty name."""
    chain = ImagesChain(CALL, mode, None, 10, 0)
    if name:
        place = Position(name)
        chain.observe(Order(True, True, True, True, place, place), (name,), 10)
        chain.pages = pages
        chain.took(seconds)
    return chain


@pytest.fixture(autouse=True)
def _thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "MIN_PAGES_LEFT", 3.0)
    monkeypatch.setattr(block, "MIN_SECONDS_LEFT", 3.0)
    monkeypatch.setattr(block, "FIRST_CLAIM", 1.0)
    monkeypatch.setattr(block, "MAX_REPOSITORIES_PER_PAGE", 5.0)


@settings(max_examples=150, deadline=None)
@given(NAMES, st.lists(st.integers(0, 11), max_size=6))
def test_claims_are_one_run_of_the_sorted_names(names: set[str], places: list[int]) -> None:
    listed = Block(names)
    claimed: list[str] = []
    for place in places:
        if place < len(names):
            claimed += listed.claim(sorted(names)[place])
    assert len(claimed) == len(set(claimed))
    run = [name for name in sorted(names) if claimed and min(claimed) <= name <= max(claimed)]
    assert sorted(claimed) == run
    assert bool(listed) is bool(claimed)
    assert (listed.first, listed.last) == ((run[0], run[-1]) if run else (None, None))
    unclaimed = [name for name in sorted(names) if name not in run]
    assert listed.passed_over(set()) == unclaimed
    assert listed.passed_over(set(unclaimed[::2])) == unclaimed[1::2]
    assert listed.above() == [name for name in unclaimed if run and name > run[-1]]


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES, st.integers(0, 11), st.booleans())
def test_newcomers_are_the_strangers_inside(
    names: set[str], later: set[str], place: int, to_the_end: bool
) -> None:
    listed = Block(names)
    claimed = [name for one in sorted(names)[place : place + 3] for name in listed.claim(one)]
    inside = {
        name
        for name in later - names
        if claimed and claimed[0] <= name and (to_the_end or name <= claimed[-1])
    }
    assert listed.newcomers(later, to_the_end=to_the_end) == sorted(inside)


def names_of(count: int) -> list[str]:
    return [f"crp1/app{number:03d}" for number in range(count)]


def claims(listed: Block, up: ImagesChain, down: ImagesChain | None, count: int) -> list[str]:
    """Claim what comes next, so many times; return the last part of each name."""
    made = []
    for _ in range(count):
        name = listed.next(up, down)
        if name is None:
            break
        listed.claim(name)
        made.append(name[-3:])
    return made


def test_without_a_chain_from_above_claims_are_made_from_the_end() -> None:
    assert claims(Block(names_of(40), 32), chain_at("crp1/app009"), None, 3) == [
        "039",
        "038",
        "037",
    ]


def test_between_two_chains_claims_begin_in_the_middle_and_keep_to_it() -> None:
    up, down = chain_at("crp1/app009"), chain_at("crp1/app030", Mode.DOWN)
    assert claims(Block(names_of(40), 32), up, down, 5) == ["020", "019", "018", "021", "017"]


def test_a_chain_that_has_not_come_yet_is_taken_to_begin_at_the_end() -> None:
    up, down = chain_at("crp1/app009"), chain_at("", Mode.DOWN)
    assert claims(Block(names_of(40), 32), up, down, 4) == ["025", "024", "023", "026"]


def test_claims_leave_the_chains_what_takes_them_a_few_pages() -> None:
    up, down = chain_at("crp1/app009"), chain_at("crp1/app030", Mode.DOWN)
    listed = Block(names_of(40), 32)
    made = claims(listed, up, down, 40)
    # Ten repositories took each of them ten pages, so three more take three.
    assert (min(made), max(made)) == ("012", "027")
    assert claims(Block(names_of(40), 32), up, None, 40)[-1] == "012"


@pytest.mark.parametrize(
    ("name", "pages", "seconds", "worth"),
    [
        ("crp1/app009", 10, 1.0, True),
        ("crp1/app039", 10, 1.0, False),  # nothing is left
        ("crp1/app038", 10, 1.0, False),  # less than a page is left
        ("crp1/app009", 10, 0.09, False),  # too little time is won by it
        ("crp1/app009", 1, 1.0, False),  # too many repositories on a page: each costs a call
        ("", 0, 1.0, False),  # nothing has come yet
    ],
)
def test_claiming_is_worth_it_only_where_much_is_left(
    name: str, pages: int, seconds: float, worth: bool
) -> None:
    up = chain_at(name, pages=pages, seconds=seconds)
    assert (Block(names_of(40), 32).next(up, None) is not None) is worth


@pytest.mark.parametrize(("slots", "worth"), [(3, False), (4, False), (5, False), (6, True)])
def test_claiming_is_worth_it_only_with_slots_for_more_than_a_page_at_once(
    slots: int, worth: bool
) -> None:
    up = chain_at("crp1/app007", pages=2)  # Four repositories a page.
    assert (Block(names_of(40), slots).next(up, None) is not None) is worth


@pytest.mark.parametrize(("times", "worth"), [(9.0, True), (11.0, False)])
def test_the_first_claim_has_to_win_more_time_than_those_after_it(
    times: float, worth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "FIRST_CLAIM", times)
    listed, up = Block(names_of(40), 32), chain_at("crp1/app009")
    assert (listed.next(up, None) is not None) is worth  # thirty seconds are left
    listed.claim("crp1/app039")
    assert listed.next(up, None) is not None


@pytest.mark.parametrize("images", [40.0, None])
def test_the_largest_ahead_is_the_one_with_most_pages_between_the_chains(
    images: float | None,
) -> None:
    up, down = chain_at("crp1/app009"), chain_at("crp1/app030", Mode.DOWN)
    listed = Block(names_of(40), 32)
    # A quarter of all took ten pages, so a tenth is four pages; three are worth a call.
    shares = {"crp1/app009": 0.25, "crp1/app012": 0.1, "crp1/app020": 0.2, "crp1/app035": 0.3}
    listed.weigh(shares, images)
    assert listed.largest(up, down, ()) is None  # nothing is claimed yet
    listed.claim("crp1/app020")
    assert listed.largest(up, down, ()) == "crp1/app012"
    assert listed.largest(up, down, ("crp1/app012",)) is None
    assert listed.largest(up, None, ()) == "crp1/app035"
    assert listed.largest(chain_at(""), None, ()) is None
    listed.weigh({**shares, "crp1/app012": 0.07}, images)
    assert listed.largest(up, down, ()) is None


def test_a_sample_tells_where_the_middle_is_and_how_much_is_left() -> None:
    up, down = chain_at("crp1/app003"), chain_at("", Mode.DOWN)
    listed = Block(names_of(40), 32)
    even, last = dict.fromkeys(names_of(39), 0.01), names_of(40)[-1]
    listed.weigh({**even, last: 0.61}, 100)
    assert listed.pages_left(up) == pytest.approx(96)
    assert listed.pages_left(up, down) == pytest.approx(48)
    assert listed.next(up, down) == last
    listed.claim(last)
    assert listed.pages_left(up) == pytest.approx(35)
    assert listed.pages_left(down, up) == 0.0
    assert listed.next(up, None) == names_of(40)[-2]
    listed.weigh({**even, last: 0.61}, 4)
    assert listed.next(up, None) is None  # one page and a half


@pytest.mark.parametrize("last", ["crp1/zUpper", "crp1/z_", "crp1/z//a", "crp1/z--a", "crp1/zü"])
def test_a_name_the_api_cannot_be_asked_for_is_not_claimed(last: str) -> None:
    up = chain_at("crp1/app009")
    assert Block([*names_of(40), "crp1/z"], 32).next(up, None) == "crp1/z"
    assert Block([*names_of(40), last], 32).next(up, None) is None


def test_pages_left_are_told_from_a_chains_pace() -> None:
    listed = Block(names_of(40), 32)
    assert listed.pages_left(chain_at("crp1/app009")) == 30.0
    for name in names_of(40)[20:]:
        listed.claim(name)
    assert listed.pages_left(chain_at("crp1/app009")) == 10.0


def test_before_its_first_page_a_chain_is_the_longer_the_more_repositories_are_listed() -> None:
    few, many = (Block(names_of(count), 32).pages_left(chain_at("")) for count in (20, 200))
    assert many == 10 * few > 1.0


def test_two_chains_that_meet_share_what_is_left_and_claims_take_it_from_each() -> None:
    listed = Block(names_of(40), 32)
    up, down = chain_at("crp1/app009"), chain_at("crp1/app030", Mode.DOWN)
    assert (listed.pages_left(up, down), listed.pages_left(down, up)) == (10.0, 10.0)
    listed.claim("crp1/app012")
    assert (listed.pages_left(up, down), listed.pages_left(down, up)) == (2.0, 17.0)
    assert listed.pages_left(chain_at("", Mode.DOWN), up) == 27.0


def test_a_repository_that_goes_on_for_pages_is_taken_to_go_on() -> None:
    chain = chain_at("crp1/app039")
    place = Position("crp1/app039")
    for _ in range(4):
        chain.observe(Order(True, True, True, True, place, place), (place.name,), 10)
    assert Block(names_of(40), 32).pages_left(chain) == 6.0
    assert Block().pages_left(chain) == 6.0


def test_an_empty_list_has_nothing_to_claim() -> None:
    assert Block((), 32).next(chain_at("crp1/app"), None) is None
    assert Block((), 32).next(chain_at("crp1/app"), chain_at("crp1/z", Mode.DOWN)) is None
    assert Block().claim("crp1/app") == []
    assert "crp1/app" not in Block()
