"""The estate: that it has what its shape says, looks like the vendor's, and stays small."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any

import orjson
import pytest
from yandex.cloud.containerregistry.v1 import (
    image_service_pb2,
    registry_service_pb2,
    repository_service_pb2,
)
from yandex.cloud.resourcemanager.v1 import cloud_service_pb2, folder_service_pb2

from exporter.emulator import PRESETS, Estate, Quirks, Shape, preset
from tests.emulator.client import SMALL
from tests.oracle.values import is_bad, whole

# Imported so, for it comes without type information.
json_format = import_module("google.protobuf.json_format")

ALL_BUT_NEW_FIELDS = Quirks(
    foreign_layers=True,
    size_conflict=True,
    size_mismatch=True,
    shared_tag=True,
    unlisted_repository=True,
    extreme_times=True,
    huge_sizes=True,
    odd_text=True,
)
RESPONSES: dict[str, Any] = {
    "clouds": cloud_service_pb2.ListCloudsResponse,
    "folders": folder_service_pb2.ListFoldersResponse,
    "registries": registry_service_pb2.ListRegistriesResponse,
    "repositories": repository_service_pb2.ListRepositoriesResponse,
    "images": image_service_pb2.ListImagesResponse,
}


def tables(estate: Estate) -> dict[str, list[dict[str, Any]]]:
    return {
        "clouds": list(estate.clouds()),
        "folders": list(estate.folders()),
        "registries": list(estate.registries()),
        "repositories": list(estate.repositories()),
        "images": list(estate.images()),
    }


def layers(image: dict[str, Any]) -> list[dict[str, Any]]:
    return list(image.get("layers", []))


def size(image: dict[str, Any]) -> int:
    return whole(image, "compressedSize")


@pytest.mark.parametrize("quirks", [Quirks(), ALL_BUT_NEW_FIELDS], ids=["plain", "quirks"])
@pytest.mark.parametrize("table", RESPONSES)
def test_the_vendors_own_messages_read_every_resource_and_print_the_same_json(
    table: str, quirks: Quirks
) -> None:
    shape = preset("quirks", images=600)
    items = tables(Estate(replace(shape, quirks=quirks)))[table]
    message = json_format.Parse(orjson.dumps({table: items}), RESPONSES[table]())
    assert json_format.MessageToDict(message) == {table: items}
    assert len(items) > 0


def test_new_fields_are_what_the_vendors_messages_do_not_know() -> None:
    items = tables(Estate(preset("quirks", images=50)))["images"]
    with pytest.raises(json_format.ParseError, match=r"mediaType|architecture"):
        json_format.ParseDict({"images": items}, image_service_pb2.ListImagesResponse())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_what_it_promises_at_any_number_of_images(name: str) -> None:
    shape = preset(name, images=700, seed=5)
    estate = Estate(shape)
    assert len(list(estate.clouds())) == shape.clouds
    assert len(list(estate.folders())) == shape.folders
    assert len(list(estate.registries())) == shape.registries
    unlisted = len(list(estate.unlisted_repositories()))
    assert len(list(estate.repositories())) + unlisted == shape.repositories
    images = list(estate.images())
    assert len(images) == len({image["id"] for image in images}) == 700


def test_every_item_names_parents_that_exist() -> None:
    estate = Estate(SMALL)
    clouds = {cloud["id"] for cloud in estate.clouds()}
    folders = {folder["id"] for folder in estate.folders()}
    assert {folder["cloudId"] for folder in estate.folders()} <= clouds
    assert {registry["folderId"] for registry in estate.registries()} <= folders
    for registry in estate.registries():
        names = {repository["name"] for repository in estate.repositories(registry["id"])}
        assert {image["name"] for image in estate.images(registry["id"])} <= names
        assert all(name.startswith(registry["id"] + "/") for name in names)


def test_the_same_shape_is_the_same_estate_and_another_seed_another() -> None:
    assert tables(Estate(SMALL)) == tables(Estate(SMALL))
    other = Estate(replace(SMALL, seed=2))
    ids = {image["id"] for image in other.images()}
    assert ids.isdisjoint(image["id"] for image in Estate(SMALL).images())


def test_ids_digests_and_names_have_the_vendors_form() -> None:
    estate = Estate(preset("demo", images=500))
    name = re.compile(r"crp[0-9a-v]{17}(/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+")
    for image in estate.images():
        blobs = [*layers(image), *([image["config"]] if "config" in image else [])]
        for part in (image, *blobs):
            assert re.fullmatch(r"crp[0-9a-v]{17}", part["id"])
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", part["digest"])
        assert name.fullmatch(image["name"])
    assert all(re.fullmatch(r"b1g[0-9a-v]{17}", cloud["id"]) for cloud in estate.clouds())


def test_a_plain_estate_has_what_real_ones_have() -> None:
    images = list(Estate(preset("demo", images=3000)).images())
    assert any(not image.get("tags") for image in images)
    assert any("config" not in image and "layers" not in image for image in images)
    assert any(len({blob["id"] for blob in layers(image)}) < len(layers(image)) for image in images)
    assert any("size" not in blob for image in images for blob in layers(image))
    assert {len(image["createdAt"]) for image in images} == {20, 24, 27, 30}
    assert all(size(image) == sum(int(each.get("size", 0)) for each in layers(image))
               for image in images)  # fmt: skip
    tags = Counter((image["name"], tag) for image in images for tag in image.get("tags", []))
    assert set(tags.values()) == {1}


def test_layers_are_shared_within_and_across_repositories() -> None:
    users = defaultdict(set)
    repositories = defaultdict(set)
    for image in Estate(preset("demo", images=2000)).images():
        for layer in layers(image):
            users[layer["digest"]].add(image["id"])
            repositories[layer["digest"]].add(image["name"])
    assert max(map(len, repositories.values())) > 5
    assert any(len(users[each]) > 1 and len(repositories[each]) == 1 for each in users)
    assert any(len(users[each]) == 1 for each in users)


def test_some_of_everything_is_empty() -> None:
    estate = Estate(preset("demo", images=2000))
    parents = {registry["folderId"] for registry in estate.registries()}
    assert any(folder["id"] not in parents for folder in estate.folders())
    assert any(not list(estate.repositories(each["id"])) for each in estate.registries())
    used = {image["name"] for image in estate.images()}
    assert any(repository["name"] not in used for repository in estate.repositories())


def test_a_skewed_estate_has_few_huge_repositories_and_a_uniform_one_has_none() -> None:
    skewed, uniform = (
        Counter(image["name"] for image in Estate(preset(name, images=3000)).images())
        for name in ("skewed", "uniform")
    )
    assert max(skewed.values()) > 10 * sorted(skewed.values())[len(skewed) // 2]
    assert max(uniform.values()) < 2 * min(uniform.values())


def test_each_quirk_shows() -> None:
    estate = Estate(preset("quirks"))
    images = list(estate.images())
    sizes = defaultdict(set)
    for image in images:
        for layer in layers(image):
            sizes[image["name"][:20], layer["digest"]].add(layer.get("size"))
    tags = Counter((image["name"], tag) for image in images for tag in image.get("tags", []))
    assert any(len(each) > 1 for each in sizes.values())
    assert any(size(each) != sum(whole(layer, "size") for layer in layers(each))
               for each in images)  # fmt: skip
    assert max(tags.values()) > 1
    assert any(layer.get("urls") for image in images for layer in layers(image))
    assert {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", None} <= {
        image.get("createdAt") for image in images
    }
    assert 1 << 53 < sum(size(image) for image in images) < 1 << 63
    assert set(estate.unlisted_repositories()) & {image["name"] for image in images}
    assert any("\u2028" in tag for image in images for tag in image.get("tags", []))
    assert {"HIBERNATED", 7} <= {registry["status"] for registry in estate.registries()}
    texts = {image.get("createdAt", "") for image in images}
    assert all(any(text.endswith(end) for text in texts) for end in ("+03:00", "-09:30", "z"))
    assert any(is_bad(image) for image in images)
    assert any(is_bad(registry) for registry in estate.registries())
    assert any(whole(layer, "size") < 0 for image in images for layer in layers(image))
    assert {int, float} <= {type(image.get("compressedSize")) for image in images}


def test_a_million_images_take_no_memory_until_they_are_looked_at() -> None:
    tracemalloc.start()
    try:
        estate = Estate(preset("million"))
        some = sum(1 for _ in islice(estate.images(), 0, 2000))
        last = orjson.loads(estate.image_text(999_999))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert some == 2000
    assert last["id"].startswith("crp")
    assert peak < 24 * 1024 * 1024


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"images": -1}, "negative"),
        ({"images": 1, "repositories": 0}, "images need repositories"),
        ({"layers": 0}, "start at 1"),
    ],
)
def test_an_impossible_shape_is_refused(shape: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shape(**shape)  # type: ignore[arg-type]


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="giant-registry"):
        preset("enormous")
