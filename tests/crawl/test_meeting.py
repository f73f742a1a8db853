"""Where two scans of one scope meet, and what is cut from a page there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exporter.http.types import Call
from exporter.sources.cloud.decode.order import Order, Position, RowFilter
from exporter.sources.cloud.split.meeting import (
    cut_known,
    have_passed,
    is_believed,
    meeting_point,
)
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.summary import Seen

POLICY = SplitPolicy(enough_in_order=4)
CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")
SHARED = 2


def page(names: Sequence[str], direction: Direction, *, in_order: bool = True) -> Seen:
    """Return a page of one image of each repository, whose ids are those names."""
    ascending = direction is Direction.ASCENDING
    ordered = [Position(name) for name in sorted(names, reverse=not ascending)]
    order = Order(
        names_rise=ascending,
        names_fall=not ascending,
        rises=ascending and in_order,
        falls=not ascending and in_order,
        digests_rise=False,
        ties=0,
        first=ordered[0],
        last=ordered[-1],
    )
    return Seen(order, tuple(names), tuple(place.name for place in ordered))


def partners(
    upper: Sequence[str], lower: Sequence[str], *, in_order: bool = True
) -> tuple[Scan, Scan]:
    """Return two scans of which each has read a page of these names."""
    up = Scan(CALL, Direction.ASCENDING, None, 10, 0, POLICY)
    down = Scan(CALL, Direction.DESCENDING, None, 10, 0, POLICY)
    up.partner, down.partner = down, up
    up.take(page(upper, Direction.ASCENDING, in_order=in_order))
    down.take(page(lower, Direction.DESCENDING))
    return up, down


def test_scans_that_share_no_image_have_not_met() -> None:
    up, down = partners("abcd", "wxyz")
    assert meeting_point(up, tuple("abcd"), SHARED) is None
    assert not have_passed(up, down)


def test_scans_that_have_read_the_same_images_have_met_and_those_are_cut() -> None:
    up, down = partners("abcdef", "defghi")
    assert meeting_point(down, tuple("ihgfed"), SHARED) == RowFilter(("f", "e", "d"), last=True)
    assert have_passed(up, down)
    assert have_passed(down, up)


def test_one_shared_image_is_cut_but_is_no_meeting_point() -> None:
    _, down = partners("abcdf", "fghij")
    assert meeting_point(down, tuple("jihgf"), SHARED) == RowFilter(("f",), last=False)


def test_scans_do_not_meet_once_an_order_has_not_held() -> None:
    up, _ = partners("abcdef", "defghi", in_order=False)
    assert meeting_point(up, tuple("abcdef"), SHARED) is None


def test_scans_do_not_meet_before_enough_images_came_in_order() -> None:
    up, _ = partners("abc", "bcd")
    assert meeting_point(up, tuple("abc"), SHARED) is None


def test_a_scan_does_not_meet_one_that_is_not_wanted_any_more() -> None:
    up, down = partners("abcdef", "defghi")
    down.stop()
    assert meeting_point(up, tuple("abcdef"), SHARED) is None


@pytest.mark.parametrize(
    ("cut", "known", "expected"),
    [
        (None, (), None),
        (None, ("a",), RowFilter(("a",))),
        (RowFilter(("b",), last=True), (), RowFilter(("b",), last=True)),
        (RowFilter(("b",), last=True), ("a",), RowFilter(("b", "a"), last=True)),
    ],
)
def test_what_other_scans_know_is_cut_as_well(
    cut: RowFilter | None, known: tuple[str, ...], expected: RowFilter | None
) -> None:
    assert cut_known(cut, known) == expected


def test_a_descending_scan_is_believed_only_from_behind_its_partner() -> None:
    _, down = partners("abcd", "wxyz")
    assert is_believed(down)
    _, down = partners("abcdef", "abcd")
    assert not is_believed(down)
