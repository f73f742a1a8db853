"""Cuts, filters and orders of a page, against plain Python's idea of the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.tables.images import decode_images
from exporter.tables.order import MAX_TIES, Cut, Order, Position
from tests.tables.pages import page_body
from tests.tables.plain import CLOUD, FOLDER, Json, moment, plain_rows, rows_of, tables_of

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NAMES = ("crp1/a", "crp1/a-b", "crp1/a/b", "crp1/b", "crp1/ü", "crp1/\U0001f69a")
TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.123456Z",
    "2026-01-01T00:00:00.123456789Z",
    "2026-01-01T00:00:01Z",
    "9999-12-31T23:59:59.999999999Z",
)
MOMENTS = st.sampled_from([moment(text) for text in TIMES])


@st.composite
def pages(draw: st.DrawFn, *, whole: bool = False) -> list[Json]:
    """Draw images with few names and times, so that they tie; `whole`: with nothing left out."""
    absent: st.SearchStrategy[Any] = st.nothing() if whole else st.none()
    drawn = draw(
        st.lists(
            st.tuples(st.sampled_from(NAMES) | absent, st.sampled_from(TIMES) | absent), max_size=8
        )
    )
    return [
        {
            key: value
            for key, value in (("id", f"i{number}"), ("name", name), ("createdAt", at))
            if value is not None
        }
        | {"layers": [{"id": f"l{number}", "size": str(number)}] * (number % 3)}
        for number, (name, at) in enumerate(drawn)
    ]


POSITIONS = st.builds(Position, st.sampled_from(NAMES), st.none() | MOMENTS)
CUTS = st.builds(
    Cut,
    names_before=st.none() | st.sampled_from(NAMES),
    names_after=st.none() | st.sampled_from(NAMES),
    until=st.none() | POSITIONS,
    since=st.none() | POSITIONS,
    but_not=st.lists(st.sampled_from(["i0", "i1", "i5"]), max_size=2, unique=True).map(tuple),
)


def is_past(name: str, at: datetime | None, bound: Position) -> bool:
    """Say whether one place is behind another, as far as both have a time."""
    if name != bound.name:
        return name > bound.name
    return at is not None and bound.at is not None and at > bound.at


def stays(image: Json, cut: Cut) -> bool:
    """Say whether a cut keeps an image; what it has no name or time for is never cut away."""
    name, at = image.get("name"), moment(image.get("createdAt"))
    if name is not None:
        if cut.names_before is not None and name >= cut.names_before:
            return False
        if cut.names_after is not None and name <= cut.names_after:
            return False
        if cut.until is not None and is_past(name, at, cut.until):
            return False
        if cut.since is not None and is_past(cut.since.name, cut.since.at, Position(name, at)):
            return False
    return image["id"] not in cut.but_not


@settings(max_examples=100, deadline=None, phases=PHASES)
@given(pages(), CUTS)
def test_a_cut_keeps_what_its_description_says(images: list[Json], cut: Cut) -> None:
    page = decode_images(page_body(images), cloud_id=CLOUD, folder_id=FOLDER, cut=cut)
    assert plain_rows(tables_of(page)) == rows_of([one for one in images if stays(one, cut)])
    assert page.listed == len(images)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(pages(), CUTS, st.sets(st.sampled_from(NAMES)))
def test_a_filter_and_a_cut_keep_what_both_keep(
    images: list[Json], cut: Cut, wanted: set[str]
) -> None:
    page = decode_images(
        page_body(images), cloud_id=CLOUD, folder_id=FOLDER, wanted=wanted.__contains__, cut=cut
    )
    kept = [one for one in images if one.get("name") in wanted and stays(one, cut)]
    assert plain_rows(tables_of(page)) == rows_of(kept)
    # Names and order are the page's, whatever is kept of it: they are what trust is built on.
    assert set(page.names) == {one["name"] for one in images if "name" in one}
    assert page.nameless == any("name" not in one for one in images)
    unfiltered = decode_images(page_body(images), cloud_id=None, folder_id=None)
    assert page.order == unfiltered.order


def test_a_filter_drops_images_without_a_name() -> None:
    page = decode_images(
        page_body([{"id": "1"}]), cloud_id=None, folder_id=None, wanted=lambda _: True
    )
    assert page.images.num_rows == 0


def order_of(images: list[Json]) -> Order | None:
    """Return the order of a page's images as `Order` describes it."""
    if not images:
        return None
    names = [one.get("name") for one in images]
    times = [moment(one.get("createdAt")) for one in images]
    rising = sorted(names, key=lambda name: (name or "").encode())
    whole = None not in times
    pairs: list[tuple[datetime, datetime]] = [
        (before, after)
        for (name, before), (other, after) in zip(
            zip(names, times, strict=True), list(zip(names, times, strict=True))[1:], strict=False
        )
        if name == other and before is not None and after is not None
    ]
    ties = [
        one["id"]
        for one, name, at in zip(images, names, times, strict=True)
        if (name, at) == (names[-1], times[-1]) and name is not None and at is not None
    ]
    return Order(
        names_rise=all(names) and names == rising,
        names_fall=all(names) and names == rising[::-1],
        times_rise=whole and all(before <= after for before, after in pairs),
        times_fall=whole and all(before >= after for before, after in pairs),
        first=Position(names[0] or "", times[0]),
        last=Position(names[-1] or "", times[-1]),
        last_ids=tuple(ties),
    )


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(pages(whole=True), st.sampled_from(["rising", "falling", "none"]))
def test_the_order_is_what_plain_python_makes_of_it(images: list[Json], order: str) -> None:
    if order != "none":
        images.sort(
            key=lambda one: (one["name"].encode(), moment(one["createdAt"])),
            reverse=order == "falling",
        )
    page = decode_images(page_body(images), cloud_id=None, folder_id=None)
    assert page.order == order_of(images)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(pages())
def test_nothing_is_promised_where_a_name_or_a_time_is_missing(images: list[Json]) -> None:
    order = decode_images(page_body(images), cloud_id=None, folder_id=None).order
    if not all("createdAt" in one for one in images):
        assert order is not None
        assert (order.times_rise, order.times_fall) == (False, False)
    if not all("name" in one for one in images):
        assert order is not None
        assert (order.names_rise, order.names_fall) == (False, False)


def test_more_ties_than_are_told_apart_are_not_named() -> None:
    def ids(count: int) -> tuple[str, ...]:
        images = [
            {"id": f"i{number}", "name": NAMES[0], "createdAt": TIMES[0]} for number in range(count)
        ]
        order = decode_images(page_body(images), cloud_id=None, folder_id=None).order
        assert order is not None
        return order.last_ids

    assert len(ids(MAX_TIES)) == MAX_TIES
    assert ids(MAX_TIES + 1) == ()
