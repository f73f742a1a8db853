"""What the pages of one listing prove, page by page, and what several readings prove together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from exporter.http.types import Call
from exporter.sources.cloud.decode.order import Order, Position
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.proof import Proof, Readings
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.summary import Seen

POLICY = SplitPolicy()
CALL = Call("container_registry", "/images", (("repositoryName", "crp1/a"),), "images")
NIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def page(*digests: str, tied: bool) -> Seen:
    """Return a page of a repository: images of one second, or each in a second of its own."""
    at = [NIGHT.replace(second=0 if tied else ord(one[0]) - ord("a")) for one in digests]
    places = [Position("crp1/a", t, t.isoformat(), one) for t, one in zip(at, digests, strict=True)]
    rises = list(digests) == sorted(digests)
    order = Order(
        names_rise=True,
        names_fall=True,
        rises=rises,
        falls=False,
        digests_rise=rises,
        ties=(len(digests) - 1) * tied,
        first=places[0],
        last=places[-1],
    )
    return Seen(order, ("crp1/a",), digests)


def proof_of(pages: Sequence[Seen], page_size: int, *, reading: int = 0) -> Proof:
    scan = Scan(CALL, Direction.ASCENDING, "crp1/a", page_size, 0, POLICY, reading)
    for one in pages:
        scan.take(one)
    return scan.observed.proof


def test_ties_that_look_like_the_first_page_again_by_chance_do_not_hide_others() -> None:
    # As many images are on these pages as there are lines, and three of them twice.
    pages = [page("a", "b", "c", tied=True)] * 2 + [page("d", "e", tied=True)]
    assert not proof_of(pages, 3).whole


@pytest.mark.parametrize("reading", [0, 1])
def test_a_listing_that_begins_again_in_its_order_is_whole(reading: int) -> None:
    first = page("a", "b", "c", tied=False)
    assert proof_of([first, first, page("d", "e", tied=False)], 3, reading=reading).whole


def test_a_long_page_that_comes_again_is_the_first_one_in_whatever_order() -> None:
    ids = [chr(ord("b") + number) for number in range(POLICY.enough_in_order)]
    first = page(*reversed(ids), tied=False)
    assert proof_of([first, first, page("a", tied=False)], POLICY.enough_in_order).whole


def test_an_image_that_moved_has_come_twice_where_no_order_holds() -> None:
    pages = [page("c", "a", tied=False), page("a", tied=False)]
    assert not proof_of(pages, 2, reading=1).whole


def test_a_few_images_in_order_do_not_show_that_one_was_moved_by_others() -> None:
    pages = [page("a", "b", tied=False), page("b", "c", tied=False)]
    assert not proof_of(pages, 2, reading=1).whole


def test_enough_images_in_order_show_that_the_first_were_moved_by_others() -> None:
    letters = [chr(ord("a") + number) for number in range(POLICY.enough_in_order)]
    pages = [letters[:2], *(letters[start : start + 3] for start in range(1, len(letters), 3))]
    assert proof_of([page(*one, tied=False) for one in pages], 3, reading=1).whole


def reading_of(*pages: Sequence[str], moved: int = 0) -> Proof:
    proof = Proof(total=False, enough=POLICY.enough_in_order, forget_after=None)
    for number, ids in enumerate(pages):
        proof.add(ids, in_order=False, moved=moved if number else 0)
    return proof


def test_readings_are_whole_once_they_have_what_the_one_before_had_lines() -> None:
    readings = Readings()
    readings.add(reading_of("abc", "c", moved=1))  # Of four: d is on no page.
    assert not readings.whole
    readings.add(reading_of("bac", "c", moved=1))  # And not here either.
    assert (readings.whole, readings.missing) == (False, 1)
    readings.add(reading_of("dac", "b"))
    assert (readings.whole, readings.missing) == (True, 0)
