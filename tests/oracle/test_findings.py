"""The oracle's findings, against a world small enough to be reckoned by hand."""

from __future__ import annotations

import pytest

from tests.oracle.truth import truth
from tests.oracle.worlds import blob, finding, image, small_world, total


def test_a_digest_with_two_sizes_in_one_registry_is_found_and_names_it() -> None:
    world = small_world()
    world.images.append(image("r/nothing", 6, "", layers=[blob("b", 64)], compressedSize="64"))
    assert finding(truth(world)) == {"kind": "size_conflict", "registry_id": "r", "subject": "b"}


def test_a_digest_with_two_sizes_in_two_registries_is_found_once_and_names_neither() -> None:
    world = small_world()
    world.images.append(image("s/app", 6, "", layers=[blob("b", 64)], compressedSize="64"))
    assert finding(truth(world)) == {"kind": "size_conflict", "subject": "b"}


def test_a_layer_that_is_a_config_of_another_size_is_found() -> None:
    world = small_world()
    world.images.append(image("r/nothing", 6, "", config=blob("b", 64)))
    assert finding(truth(world)) == {"kind": "size_conflict", "registry_id": "r", "subject": "b"}


@pytest.mark.parametrize("size", [5, 4, 105, 104])
def test_a_size_may_count_a_layer_once_or_twice_and_the_config_or_not(size: int) -> None:
    world = small_world()
    layers = [blob("n", 1), blob("n", 1), blob("o", 3)]
    config = blob("x", 100)
    world.images.append(
        image("s/app", 6, "", layers=layers, config=config, compressedSize=str(size))
    )
    assert truth(world)["findings"] == []


def test_a_size_that_is_not_the_sum_of_the_layers_is_found() -> None:
    world = small_world()
    config = blob("x", 100)
    world.images.append(image("s/app", 6, "aab", config=config, compressedSize="203"))
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
