"""The oracle's own numbers, against a world small enough to be reckoned by hand."""

from __future__ import annotations

import pytest

from tests.oracle.listed import World
from tests.oracle.schema import OF_OCI, of_cloud
from tests.oracle.truth import truth
from tests.oracle.values import Row, cut_time
from tests.oracle.worlds import blob, finding, image, small_world, total


def test_a_repository_counts_each_digest_once_within_itself() -> None:
    assert total(truth(small_world()), "r/app") == {
        "scope": "repository",
        "scope_id": "r/app",
        "scope_name": "app",
        "registry_id": "r",
        "folder_id": "f",
        "cloud_id": "c",
        "repository_count": 1,
        "image_count": 3,
        "tagged_image_count": 1,
        "untagged_image_count": 2,
        "tag_count": 2,
        "layer_count": 8,
        "blob_count": 4,  # a b c d
        "logical_size": 7 + 9 + 9,
        "stored_size": 15,
        "exclusive_size": 4 + 8,  # c and d; a and b are used by r/base/os too
        "untagged_size": 8,  # d; c is used by the tagged image too
        "config_size": 100,
        "oldest_image_at": "2021-01-01T00:00:00.000000Z",
        "newest_image_at": "2023-01-01T00:00:00.000000Z",
        "complete": True,
        **of_cloud("size_totals"),
    }


def test_a_registry_counts_each_digest_once_over_its_repositories() -> None:
    row = total(truth(small_world()), "r")
    assert (row["scope"], row["scope_name"]) == ("registry", "one")
    assert row["repository_count"] == 3
    assert (row["image_count"], row["layer_count"], row["blob_count"]) == (4, 10, 4)
    assert row["logical_size"] == 7 + 9 + 9 + 3
    assert row["stored_size"] == row["exclusive_size"] == 15
    assert (row["untagged_size"], row["config_size"]) == (8, 1100)


def test_a_digest_of_two_registries_counts_in_each() -> None:
    tables = truth(small_world())
    assert total(tables, "s")["stored_size"] == 17
    for scope_id in ("f", "c", "*"):
        row = total(tables, scope_id)
        assert (row["stored_size"], row["exclusive_size"], row["blob_count"]) == (32, 32, 6)
        assert (row["registry_id"], row["repository_count"]) == (None, 4)
    assert total(tables, "*")["scope_name"] is None
    assert total(tables, "f")["cloud_id"] == "c"
    assert total(tables, "c")["folder_id"] is None


def test_an_empty_scope_has_a_row_of_zeros() -> None:
    tables = truth(small_world())
    for scope_id in ("g", "r/nothing"):
        row = total(tables, scope_id)
        counts = {name: row[name] for name in row if name.endswith(("_size", "_count"))}
        for other in ("repository_count", *OF_OCI["size_totals"]):
            counts.pop(other, None)
        assert set(counts.values()) == {0}
        assert (row["oldest_image_at"], row["newest_image_at"]) == (None, None)
    assert total(tables, "g")["repository_count"] == 0


def test_untagged_size_of_a_folder_is_the_sum_over_its_registries() -> None:
    world = small_world()
    world.images.append(image("s/app", 6, "cd"))
    tables = truth(world)
    assert total(tables, "s")["untagged_size"] == 12
    assert total(tables, "f")["untagged_size"] == 8 + 12


def test_a_blob_counts_its_images_its_references_and_its_repositories() -> None:
    blobs = {(b["registry_id"], b["digest"], b["kind"]): b for b in truth(small_world())["blobs"]}
    assert len(blobs) == 4 + 2 + 2
    assert blobs["r", "c", "layer"] == {
        "registry_id": "r",
        "digest": "c",
        "kind": "layer",
        "size": 4,
        "image_count": 2,
        "reference_count": 3,
        "repository_count": 1,
    }
    assert blobs["r", "a", "layer"]["repository_count"] == 2
    assert blobs["s", "a", "layer"]["image_count"] == 1
    assert blobs["r", "x", "config"]["reference_count"] == 2


def test_a_digest_with_two_sizes_counts_with_the_larger_wherever_it_is_used() -> None:
    world = small_world()
    world.images.append(image("r/nothing", 6, "", layers=[blob("a", 64)], compressedSize="64"))
    tables = truth(world)
    assert total(tables, "r/app")["stored_size"] == 64 + 2 + 4 + 8
    assert total(tables, "s")["stored_size"] == 17
    assert finding(tables) == {"kind": "size_conflict", "subject": "a"}


def test_a_layer_without_a_digest_counts_only_as_a_layer() -> None:
    world = small_world()
    world.images.append(image("s/app", 6, "", layers=[{"size": "5"}], compressedSize="5"))
    tables = truth(world)
    row = total(tables, "s")
    assert (row["layer_count"], row["blob_count"], row["stored_size"]) == (3, 2, 17)
    assert all(row["digest"] is not None for row in tables["blobs"])
    assert tables["findings"] == []


@pytest.mark.parametrize(
    ("listing", "incomplete"),
    [
        (("images", "r"), {"r/app", "r/base/os", "r/nothing", "r", "f", "c", "*"}),
        (("repositories", "r"), {"r", "f", "c", "*"}),
        (("registries", "g"), {"g", "c", "*"}),
        (("folders", "c"), {"c", "*"}),
        (("clouds", "*"), {"*"}),
    ],
)
def test_a_listing_that_failed_reaches_up_to_the_total_and_no_sideways(
    listing: tuple[str, str], incomplete: set[str]
) -> None:
    coverage = [
        {"listing": listing[0], "parent_id": listing[1], "status": "partial"},
        {"listing": "images", "parent_id": "s", "status": "complete"},
    ]
    rows = truth(small_world(), coverage)["size_totals"]
    assert {row["scope_id"] for row in rows if not row["complete"]} == incomplete


def test_what_a_filter_left_out_reaches_the_scopes_it_is_in_though_it_is_in_no_table() -> None:
    world = small_world()
    world.folder_of_registry, world.cloud_of_folder = {"x": "g", "y": "h"}, {"h": "c"}
    for registry, incomplete in (("x", {"g", "c", "*"}), ("y", {"c", "*"}), ("z", {"*"})):
        skipped = {"listing": "images", "parent_id": registry, "status": "skipped"}
        rows = truth(world, [skipped])["size_totals"]
        assert {row["scope_id"] for row in rows if not row["complete"]} == incomplete


def test_absent_fields_are_what_proto3_says() -> None:
    world = World(
        registries=[{"id": "r"}],
        images=[{"id": "i", "name": "r/x/y", "config": {}, "layers": [{}]}],
    )
    tables = truth(world)
    assert tables["registries"] == [
        {
            "registry_id": "r",
            "folder_id": None,
            "cloud_id": None,
            "name": None,
            "status": None,
            "labels": {},
            "created_at": None,
            **of_cloud("registries"),
        }
    ]
    assert tables["images"][0] | {"image_id": "i"} == {
        "image_id": "i",
        "cloud_id": None,
        "folder_id": None,
        "registry_id": "r",
        "repository_name": "r/x/y",
        "digest": None,
        "compressed_size": 0,
        "config_digest": None,
        "layer_count": 1,
        "tag_count": 0,
        "tags": [],
        "created_at": None,
        **of_cloud("images"),
    }
    nothing: Row = {"blob_id": None, "digest": None, "size": 0, "urls": []}
    place: Row = {"image_id": "i", "registry_id": "r", "repository_name": "r/x/y"}
    assert tables["config_blobs"] == [place | nothing | of_cloud("config_blobs")]
    assert tables["layers"] == [place | {"position": 0} | nothing | of_cloud("layers")]
    assert tables["image_references"] == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2024-02-29T12:00:00.120Z", "2024-02-29T12:00:00.120000Z"),
        ("2024-02-29T12:00:00.000001Z", "2024-02-29T12:00:00.000001Z"),
    ],
)
def test_times_are_cut_and_never_rounded(sent: str, kept: str) -> None:
    assert cut_time(sent) == kept
