"""The estate of the demo: a company's, in which there is something to find."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.emulator import Estate, preset

TODAY = datetime(2026, 11, 28, tzinfo=UTC)
SHAPE = replace(preset("company", images=6000), newest=int(TODAY.timestamp()))


def pushed(image: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(f"{image['createdAt'][:19].rstrip('Z')}+00:00")


@pytest.fixture(scope="module")
def repositories() -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for image in Estate(SHAPE).images():
        found[image["name"].partition("/")[2]].append(image)
    return found


def test_images_are_as_new_as_today_and_none_is_of_tomorrow(
    repositories: dict[str, list[dict[str, Any]]],
) -> None:
    newest = max(pushed(image) for images in repositories.values() for image in images)
    assert TODAY - timedelta(days=4) < newest <= TODAY


def test_somebody_stopped_pushing_and_ci_never_tagged(
    repositories: dict[str, list[dict[str, Any]]],
) -> None:
    legacy = repositories["legacy/monolith"]
    assert len(legacy) > 5
    assert max(map(pushed, legacy)) < TODAY - timedelta(days=2 * 365)
    built = repositories["ci/build-cache"]
    untagged = [image for image in built if not image.get("tags")]
    assert len(built) > 100
    assert len(untagged) > 0.9 * len(built)


def test_some_images_are_larger_than_5_gb_and_few_have_something_odd(
    repositories: dict[str, list[dict[str, Any]]],
) -> None:
    every = [image for images in repositories.values() for image in images]
    sizes = [int(image.get("compressedSize", 0)) for image in every]
    assert sum(size > 5e9 for size in sizes) > 10
    odd = [
        image
        for image in every
        if int(image.get("compressedSize", 0))
        != sum(int(layer.get("size", 0)) for layer in image.get("layers", []))
    ]
    assert 0 < len(odd) < 0.01 * len(every)
    assert any("stable" in image.get("tags", []) for image in every)


def test_people_gave_the_names_and_no_two_are_the_same() -> None:
    estate = Estate(SHAPE)
    for resources in (estate.clouds(), estate.folders(), estate.registries()):
        names = [each["name"] for each in resources]
        assert len(set(names)) == len(names)
        assert [name for name in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert list(Estate(SHAPE).images())[:50] == list(estate.images())[:50]
    assert max(len(path) for path in (one["name"] for one in estate.repositories())) < 60


def test_a_day_later_teams_have_pushed_ci_has_tidied_up_and_all_else_is_as_it_was(
    repositories: dict[str, list[dict[str, Any]]],
) -> None:
    later: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for image in Estate(replace(SHAPE, days=1)).images():
        later[image["name"].partition("/")[2]].append(image)
    assert later.keys() == repositories.keys()
    before = {image["id"]: image for images in repositories.values() for image in images}
    after = {image["id"]: image for images in later.values() for image in images}
    new = [image for image in after.values() if image["id"] not in before]
    gone = [image for image in before.values() if image["id"] not in after]
    assert new
    assert all(TODAY <= pushed(image) <= TODAY + timedelta(days=1) for image in new)
    assert gone
    assert {image["name"].partition("/")[2].partition("/")[0] for image in gone} == {"ci"}
    without_latest = [
        {**image, "tags": [tag for tag in image.get("tags", []) if tag != "latest"]}
        for images in (before, after)
        for id_, image in sorted(images.items())
        if id_ in before and id_ in after
    ]
    half = len(without_latest) // 2
    assert without_latest[:half] == without_latest[half:]
    assert later["legacy/monolith"] == repositories["legacy/monolith"]
    grown = [path for path, images in later.items() if len(images) > len(repositories[path])]
    assert len(grown) > len(later) / 5
