"""Values that are spelled in odd ways are read; those that cannot be read cost themselves alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.sources.cloud.decode.images import decode_images
from exporter.sources.cloud.decode.sample import decode_sample
from exporter.sources.cloud.decode.values import LARGEST, SMALLEST
from tests.tables.plain import CLOUD, FOLDER, plain_rows, tables_of

GOOD: dict[str, Any] = {
    "id": "good",
    "name": "crp1/a",
    "compressedSize": "5",
    "config": {"id": "c", "digest": "sha256:c", "size": "7", "urls": ["u"]},
    "layers": [{"id": "l", "digest": "sha256:l", "size": "5"}],
    "tags": ["v1", "v2"],
    "createdAt": "2026-11-23T02:00:00Z",
}
TIMES = {
    "2024-05-06T10:00:00+03:00": datetime(2024, 5, 6, 7, tzinfo=UTC),
    "2024-05-06T10:00:00.999999999-00:30": datetime(2024, 5, 6, 10, 30, 0, 999999, tzinfo=UTC),
    "2024-05-06t10:00:00z": datetime(2024, 5, 6, 10, tzinfo=UTC),
    "2024-05-06T10:00:00.1234567890123Z": datetime(2024, 5, 6, 10, 0, 0, 123456, tzinfo=UTC),
    "2024-05-06T10:00:00-00:00": datetime(2024, 5, 6, 10, tzinfo=UTC),
    "2024-02-29T23:59:59+23:59": datetime(2024, 2, 29, 0, 0, 59, tzinfo=UTC),
    "0001-01-01T00:00:00-01:00": datetime(1, 1, 1, 1, tzinfo=UTC),
    # A leap second, in UTC and elsewhere: POSIX counts it as the next day's first.
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
    "2017-01-01T02:59:60.5+03:00": datetime(2017, 1, 1, 0, 0, 0, 500000, tzinfo=UTC),
}
SIZES: list[tuple[Any, int]] = [
    (123, 123),
    (123.0, 123),
    (1e3, 1000),
    (-5, -5),
    ("-5", -5),
    ("-0", 0),
    ("1e3", 1000),
    ("123.0", 123),
    ("12.5e1", 125),
    (LARGEST, LARGEST),
    (str(SMALLEST), SMALLEST),
    ("9223372036854775807.0", LARGEST),
    ("0e999999", 0),
    (None, 0),
]
BAD_TIMES = (
    "",
    "Z",
    "0x10",
    "yesterday",
    "2024-05-06Z",
    "2024-05-06T10Z",
    "2024-05-06T10:00Z",
    "2024-05-06 10:00:00Z",
    "2026-11-23T02:00:00",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T02:00:60Z",
    "2026-11-23T02:00:00ZZ",
    "2026-11-23T02:00:00.Z",
    "2026-11-23T02:00:00.123456xyzZ",
    "2026-11-23T02:00:00.123456+01:00Z",
    "2026-11-23T02:00:00+24:00",
    "2026-11-23T02:00:00+0300",
    "2026-11-23T02:00:00+03",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "\u0662\u0660\u0662\u0664-05-06T10:00:00Z",
    7,
    {"seconds": "1764000000"},
)
BAD_SIZES: tuple[Any, ...] = (
    *("", "0x10", "many", "1.5", " 5", "5 ", "+5", "1_000", "5.", ".5", "1e-1", "1e19", "NaN"),
    *("9223372036854775808", "-9223372036854775809", "1e999999999999999999999", "\u0665"),
    *("1" + "0" * 5000, 1.5, 1e300, 2**63, True, [], {}),
)


def decoded(*images: dict[str, Any], **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the rows of a page by table, and those of its bad values."""
    body = json.dumps({"images": images, **more}).encode()
    page = decode_images(body, cloud_id=CLOUD, folder_id=FOLDER)
    return plain_rows(tables_of(page)), page.bad_values.to_pylist()


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "id": "odd", **fields}


@pytest.mark.parametrize(("text", "moment"), TIMES.items())
def test_any_time_of_rfc_3339_is_kept_in_utc(text: str, moment: datetime) -> None:
    for spelling in ("createdAt", "created_at"):
        rows, bad = decoded(GOOD, changed(createdAt=None) | {spelling: text})
        assert rows["images"][1]["created_at"] == moment
        assert bad == []


@pytest.mark.parametrize(("size", "number"), SIZES, ids=str)
def test_a_size_may_be_a_number_or_a_text(size: Any, number: int) -> None:
    odd = changed(compressedSize=size, config={"size": size}, layers=[{"size": size}])
    # Beside a bad value as well, for then the page is read in another way.
    for others in ([GOOD], [GOOD, GOOD | {"createdAt": "yesterday"}]):
        rows, bad = decoded(odd, *others)
        assert rows["images"][0]["compressed_size"] == number
        assert [rows[name][0]["size"] for name in ("layers", "config_blobs")] == [number] * 2
        assert len(bad) == len(others) - 1


@pytest.mark.parametrize(
    ("field", "row", "bad"),
    [
        *(("createdAt", {"created_at": None}, text) for text in BAD_TIMES),
        *(("compressedSize", {"compressed_size": 0}, size) for size in BAD_SIZES),
        ("digest", {"digest": None}, 7),
        ("name", {"repository_name": None, "registry_id": None}, 7),
        ("tags", {"tags": [], "tag_count": 0}, "v1"),
        ("config", {"config_digest": None}, []),
        ("layers", {"layer_count": 0}, {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_that_cannot_be_read_costs_itself_alone_and_is_told(
    field: str, row: dict[str, Any], bad: Any
) -> None:
    (expected,) = decoded(GOOD | {"id": "odd"})[0]["images"]
    (alone,) = decoded(GOOD)[0]["images"]
    rows, problems = decoded(GOOD, changed(**{field: bad}))
    assert rows["images"] == [alone, expected | row]
    (problem,) = problems
    assert (problem["listing"], problem["subject"], problem["image_id"]) == ("images", "odd", "odd")
    shown = json.dumps(bad, ensure_ascii=False)
    assert f"left out: {field} {shown[:60]}" in problem["detail"]
    assert len(problem["detail"]) < 200


def test_what_cannot_be_read_in_a_list_keeps_the_others_in_their_places() -> None:
    layer = GOOD["layers"][0]
    odd = changed(
        tags=["v1", None, 7, "v2"],
        layers=[layer, None, layer | {"size": "0x10"}, layer | {"digest": 7, "urls": ["u", 7]}],
        config={"size": "many", "digest": "sha256:c"},
    )
    rows, (bad,) = decoded(odd)
    assert rows["images"][0]["tags"] == ["v1", "v2"]
    assert [(row["position"], row["digest"], row["size"]) for row in rows["layers"]] == [
        (0, "sha256:l", 5),
        (1, None, 0),
        (2, "sha256:l", 0),
        (3, None, 5),
    ]
    assert rows["layers"][3]["urls"] == ["u"]
    assert [(row["digest"], row["size"]) for row in rows["config_blobs"]] == [("sha256:c", 0)]
    assert bad["detail"] == (
        'These values cannot be read, and are left out: config.size "many", layers[1] null, '
        'layers[2].size "0x10", layers[3].digest 7, layers[3].urls[1] 7 and 2 more.'
    )


def test_both_spellings_may_stand_in_one_page_and_in_one_image() -> None:
    spelled = {"compressed_size": "5", "created_at": GOOD["createdAt"]}
    snake = {**{k: v for k, v in GOOD.items() if k not in ("compressedSize", "createdAt")}}
    nulls = {"compressedSize": None, "createdAt": None}
    images = [GOOD, snake | spelled, snake | spelled | nulls, GOOD | spelled, GOOD | {
        "compressed_size": None, "created_at": None
    }]  # fmt: skip
    rows, bad = decoded(*images, next_page_token="more", nextPageToken=None)
    assert rows["images"] == decoded(*[GOOD] * len(images))[0]["images"]
    assert bad == []


@pytest.mark.parametrize("fields", [{"next_page_token": "t"}, {"nextPageToken": "t"}])
def test_the_next_pages_token_may_be_spelled_either_way(fields: dict[str, str]) -> None:
    for image in (GOOD, changed(createdAt="yesterday")):
        for others in ({}, {"nextPageToken": ""}, {"next_page_token": None}):
            body = json.dumps({"images": [image], **others, **fields}).encode()
            assert decode_images(body, cloud_id=None, folder_id=None).next_token == "t"


def test_what_a_filter_leaves_out_has_no_bad_values() -> None:
    body = json.dumps({"images": [changed(createdAt="yesterday"), GOOD]}).encode()
    for wanted in (True, False):
        page = decode_images(
            body, cloud_id=None, folder_id=None, wanted={"crp1/a": wanted}.__getitem__
        )
        assert page.bad_values.num_rows == page.images.num_rows / 2 == int(wanted)


@pytest.mark.parametrize("name", ["", "app", "/app", None])
def test_a_name_without_its_registry_is_in_none(name: str | None) -> None:
    body = json.dumps({"images": [changed(name=name), GOOD]}).encode()
    page = decode_images(body, cloud_id=None, folder_id=None)
    for table in (page.images, page.layers, page.config_blobs):
        assert table["registry_id"].to_pylist() == [None, "crp1"]
        assert table["repository_name"].to_pylist() == [name, "crp1/a"]
    assert page.nameless


def test_a_byte_order_mark_is_let_pass() -> None:
    for image in (GOOD, changed(createdAt="yesterday")):
        body = b"\xef\xbb\xbf" + json.dumps({"images": [image]}).encode()
        assert decode_images(body, cloud_id=None, folder_id=None).listed == 1


def test_a_sample_is_read_whatever_its_names_are() -> None:
    named = GOOD | {"digest": "sha256:b"}
    images = [changed(name=7, digest=None), named, changed(digest=["sha256:c"])]
    sample = decode_sample(json.dumps({"images": images, "next_page_token": "t"}).encode())
    assert (sample.listed, sample.counts) == (3, {"crp1/a": 2})
    assert (sample.first, sample.last, sample.next_token) == ("", "", "t")
    assert not sample.digests_rise
