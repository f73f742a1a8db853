"""The oracle's own numbers, against a world small enough to be reckoned by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.listed import World
from tests.oracle.truth import truth
from tests.oracle.values import Row, Tables, cut_time


def blob(digest: str, size: int) -> dict[str, Any]:
    return {"id": f"blob-{digest}", "digest": digest, "size": str(size)}


def image(name: str, index: int, letters: str, *, tags: str = "", **fields: Any) -> dict[str, Any]:
    """An image whose layers are a letter each: `a` is 1 byte, `b` 2, `c` 4, `d` 8, `e` 16."""
    sizes = {letter: 1 << place for place, letter in enumerate("abcde")}
    made = {
        "id": f"i{index}",
        "name": name,
        "digest": f"sha256:{index}",
        "compressedSize": str(sum(sizes[letter] for letter in letters)),
        "layers": [blob(letter, sizes[letter]) for letter in letters],
        "tags": tags.split(),
        "createdAt": f"202{index}-01-01T00:00:00Z",
    }
    return {key: value for key, value in (made | fields).items() if value not in ([], None, "0")}


def small_world() -> World:
    """Two registries of one folder that share layer `a`, beside an empty folder."""
    return World(
        clouds=[{"id": "c", "name": "cloud"}],
        folders=[
            {"id": "f", "cloudId": "c", "name": "folder"},
            {"id": "g", "cloudId": "c", "name": "empty"},
        ],
        registries=[
            {"id": "r", "folderId": "f", "name": "one"},
            {"id": "s", "folderId": "f", "name": "two"},
        ],
        repositories=[
            {"id": "1", "name": "r/app"},
            {"id": "2", "name": "r/base/os"},
            {"id": "3", "name": "r/nothing"},
            {"id": "4", "name": "s/app"},
        ],
        images=[
            image("r/app", 1, "abc", tags="v1 latest", config=blob("x", 100)),
            image("r/app", 2, "acc", config=blob("x", 100)),
            image("r/app", 3, "ad"),
            image("r/base/os", 4, "ab", tags="v1", config=blob("y", 1000)),
            image("s/app", 5, "ae", tags="v1"),
        ],
    )


def total(tables: Tables, scope_id: str) -> Row:
    return next(row for row in tables["size_totals"] if row["scope_id"] == scope_id)


def finding(tables: Tables) -> Row:
    """Return the only finding, without what is null in it."""
    (row,) = tables["findings"]
    return {name: value for name, value in row.items() if value is not None}


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
        counts.pop("repository_count")
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
    # The same digest with another size in another registry is no conflict.
    world.images.append(image("r/nothing", 6, "", layers=[blob("a", 64)], compressedSize="64"))
    tables = truth(world)
    assert total(tables, "r/app")["stored_size"] == 64 + 2 + 4 + 8
    assert total(tables, "s")["stored_size"] == 17
    assert finding(tables) == {"kind": "size_conflict", "registry_id": "r", "subject": "a"}


def test_a_digest_that_conflicts_in_two_registries_is_found_once_and_names_neither() -> None:
    world = small_world()
    for name in ("r/nothing", "s/app"):
        extra = image(name, 6, "", layers=[blob("a", 64)], compressedSize="64")
        world.images.append(extra | {"id": f"i-{name}"})
    assert finding(truth(world)) == {"kind": "size_conflict", "subject": "a"}


def test_a_layer_without_a_digest_counts_only_as_a_layer() -> None:
    world = small_world()
    world.images.append(image("s/app", 6, "", layers=[{"size": "5"}], compressedSize="5"))
    tables = truth(world)
    row = total(tables, "s")
    assert (row["layer_count"], row["blob_count"], row["stored_size"]) == (3, 2, 17)
    assert all(row["digest"] is not None for row in tables["blobs"])
    assert tables["findings"] == []


def test_a_size_that_is_not_the_sum_of_the_layers_is_found() -> None:
    world = small_world()
    world.images.append(image("s/app", 6, "ab", compressedSize="4"))
    assert finding(truth(world)) == {
        "kind": "size_mismatch",
        "registry_id": "s",
        "repository_name": "s/app",
        "image_id": "i6",
        "subject": "i6",
    }


def test_a_tag_on_two_images_is_found_within_one_repository_only() -> None:
    world = small_world()  # v1 is in three repositories already
    world.images.append(image("s/app", 6, "a", tags="v1"))
    tables = truth(world)
    assert finding(tables) == {
        "kind": "tag_on_two_images",
        "registry_id": "s",
        "repository_name": "s/app",
        "subject": "s/app:v1",
    }
    assert len([row for row in tables["tags"] if row["tag"] == "v1"]) == 4


def test_an_image_seen_twice_stands_once_and_is_found_if_it_changed() -> None:
    world = small_world()
    world.images.append(dict(world.images[0]))
    assert truth(world)["findings"] == []
    world.images.append(dict(world.images[0], tags=["v2"]))
    tables = truth(world)
    assert len(tables["images"]) == 5
    assert finding(tables)["subject"] == "i1"
    assert finding(tables)["kind"] == "image_changed"


def test_a_repository_that_no_list_names_is_a_scope_and_a_finding() -> None:
    world = small_world()
    world.images.append(image("s/hidden/deep", 6, "a"))
    tables = truth(world)
    assert finding(tables) == {
        "kind": "unlisted_repository",
        "registry_id": "s",
        "repository_name": "s/hidden/deep",
        "subject": "s/hidden/deep",
    }
    assert total(tables, "s/hidden/deep")["scope_name"] == "hidden/deep"
    assert total(tables, "s")["repository_count"] == 2
    assert len(tables["repositories"]) == 4


def test_a_repository_list_that_did_not_come_leaves_no_repository_unlisted() -> None:
    world = small_world()
    world.repositories = []
    failed = {"listing": "repositories", "parent_id": "r", "status": "failed"}
    found = truth(world, [failed])["findings"]
    assert [row["subject"] for row in found] == ["s/app"]


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
    }
    nothing: Row = {"blob_id": None, "digest": None, "size": 0, "urls": []}
    place: Row = {"image_id": "i", "registry_id": "r", "repository_name": "r/x/y"}
    assert tables["config_blobs"] == [place | nothing]
    assert tables["layers"] == [place | {"position": 0} | nothing]


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
