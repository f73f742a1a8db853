"""Cuts, filters and orders of a page, against plain Python's idea of the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.sources.cloud.decode.images import decode_images
from exporter.sources.cloud.decode.order import Order, Position, RowFilter
from tests.tables.pages import page_body
from tests.tables.plain import CLOUD, FOLDER, Json, moment, plain_rows, rows_of, tables_of

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NAMES = ("crp1/a", "crp1/a-b", "crp1/a/b", "crp1/b", "crp1/ü", "crp1/\U0001f69a")
TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.123456Z",
    "2026-01-01T00:00:00.123456789Z",
    "2026-01-01T00:00:00.123456111Z",
    "2026-01-01T00:00:01Z",
    "9999-12-31T23:59:59.999999999Z",
)


@st.composite
def pages(draw: st.DrawFn, *, named: bool = False) -> list[Json]:
    """Draw images with few names and times, so that they tie; `named`: no name is left out."""
    absent: st.SearchStrategy[Any] = st.none()
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES) | (st.nothing() if named else absent),
                st.sampled_from(TIMES) | absent,
                st.sampled_from(["sha256:0", "sha256:1", "sha256:2"]) | absent,
            ),
            max_size=8,
        )
    )
    return [
        {
            key: value
            for key, value in (
                ("id", f"i{number}"),
                ("name", name),
                ("createdAt", at),
                ("digest", digest),
            )
            if value is not None
        }
        | {"layers": [{"id": f"l{number}", "size": str(number)}] * (number % 3)}
        for number, (name, at, digest) in enumerate(drawn)
    ]


CUTS = st.builds(
    RowFilter,
    but_not=st.lists(st.sampled_from(["i0", "i1", "i5"]), max_size=2, unique=True).map(tuple),
    last=st.booleans(),
)


def stays(image: Json, cut: RowFilter) -> bool:
    return image["id"] not in cut.but_not


@settings(max_examples=100, deadline=None, phases=PHASES)
@given(pages(), CUTS)
def test_a_cut_keeps_what_its_description_says(images: list[Json], cut: RowFilter) -> None:
    page = decode_images(page_body(images), cloud_id=CLOUD, folder_id=FOLDER, cut=cut)
    assert plain_rows(tables_of(page)) == rows_of([one for one in images if stays(one, cut)])
    assert page.listed == len(images)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(pages())
def test_a_page_without_rows_is_the_page_with_all_of_them_cut(images: list[Json]) -> None:
    body = page_body(images)
    cut = RowFilter(tuple(image["id"] for image in images))
    expected = decode_images(body, cloud_id=CLOUD, folder_id=FOLDER, cut=cut)
    page = decode_images(body, cloud_id=CLOUD, folder_id=FOLDER).without_rows()
    assert plain_rows(tables_of(page)) == plain_rows(tables_of(expected)) == rows_of([])
    shown = ("listed", "names", "nameless", "order", "ids", "next_token", "sketch", "lost", "doubt")
    for name in shown:
        assert getattr(page, name) == getattr(expected, name)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(pages(), CUTS, st.sets(st.sampled_from(NAMES)))
def test_a_filter_and_a_cut_keep_what_both_keep(
    images: list[Json], cut: RowFilter, wanted: set[str]
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


def is_behind(one: Json, other: Json) -> bool:
    """Say whether an image is behind another by name, time and digest, as far as can be known."""
    if one["name"] != other["name"]:
        return bool(one["name"].encode() > other["name"].encode())
    if one.get("createdAt") != other.get("createdAt"):
        at, before = moment(one.get("createdAt")), moment(other.get("createdAt"))
        return at is None or before is None or at >= before
    return bool(one.get("digest", "") > other.get("digest", ""))


def position_of(image: Json) -> Position:
    at = image.get("createdAt")
    return Position(image["name"], moment(at), at or "", image.get("digest", ""))


def order_of(images: list[Json]) -> Order | None:
    """Return the order of a page's images as `Order` describes it."""
    if not images:
        return None
    names = [one["name"] for one in images]
    rising = sorted(names, key=str.encode)
    pairs = list(pairwise(images))
    keys = [(one.get("digest", ""), one["name"].encode()) for one in images]
    in_turn = {"rise": names == rising, "fall": names == rising[::-1]}
    return Order(
        names_rise=in_turn["rise"],
        names_fall=in_turn["fall"],
        rises=all(is_behind(after, before) for before, after in pairs),
        falls=all(is_behind(before, after) for before, after in pairs),
        digests_rise=all(before < after for before, after in pairwise(keys)),
        ties=sum(
            (before["name"], before.get("createdAt")) == (after["name"], after.get("createdAt"))
            for before, after in pairs
        ),
        first=position_of(images[0]),
        last=position_of(images[-1]),
    )


def key_of(image: Json) -> tuple[Any, ...]:
    return image["name"].encode(), image.get("createdAt", ""), image.get("digest", "")


@settings(max_examples=200, deadline=None, phases=PHASES)
@given(pages(named=True), st.sampled_from(["rising", "falling", "by digest", "none"]))
def test_the_order_is_what_plain_python_makes_of_it(images: list[Json], order: str) -> None:
    if order == "by digest":
        images.sort(key=lambda one: (one.get("digest", ""), one["name"].encode()))
    elif order != "none":
        images.sort(key=key_of, reverse=order == "falling")
    page = decode_images(page_body(images), cloud_id=None, folder_id=None)
    assert page.order == order_of(images)
    assert page.ids == tuple(one["id"] for one in images)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(pages())
def test_nothing_is_promised_where_a_name_is_missing(images: list[Json]) -> None:
    order = decode_images(page_body(images), cloud_id=None, folder_id=None).order
    if not all("name" in one for one in images):
        assert order is not None
        assert (order.names_rise, order.names_fall) == (False, False)
        assert (order.rises, order.falls) == (False, False)


def test_times_that_differ_past_the_microsecond_are_no_ties() -> None:
    images = [
        {"id": "i0", "name": "crp1/a", "createdAt": TIMES[2], "digest": "sha256:2"},
        {"id": "i1", "name": "crp1/a", "createdAt": TIMES[3], "digest": "sha256:1"},
    ]
    for page in (images, images[::-1]):
        order = decode_images(page_body(page), cloud_id=None, folder_id=None).order
        assert order is not None
        assert (order.rises, order.falls, order.ties) == (True, True, 0)


def test_an_image_that_a_page_shows_twice_stands_where_it_does_first() -> None:
    times = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]
    images: list[Json] = [
        {"id": f"i{number}", "name": "crp1/a", "digest": f"sha256:{number}", "createdAt": time}
        for number, time in enumerate(times)
    ]
    once = decode_images(page_body(images), cloud_id=CLOUD, folder_id=FOLDER)
    body = page_body([*images, images[0]])
    twice = decode_images(body, cloud_id=CLOUD, folder_id=FOLDER)
    assert (once.ids, twice.ids) == (("i0", "i1", "i2"), ("i0", "i1", "i2"))
    assert once.order is not None
    assert once.order.rises
    assert twice.order == once.order
    assert (twice.listed, twice.images.num_rows) == (4, 4)
