"""What a list shows without a readable id costs itself alone, and is named.

A row that stands twice on a page costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from exporter.emulator import Estate, Faults, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.worlds import (
    busiest_registry,
    check_against,
    complete_ledger,
    partial,
    without_ids,
    world_of,
)
from tests.oracle.listed import World
from tests.oracle.values import registry_of

SHAPE = Shape(clouds=3, folders=6, registries=9, repositories=24, images=120, layers=2)
GIANT = Shape(repositories=14, images=600, layers=1, empty_share=0.0)
IMPATIENT = {"limits": {"attempts": 3, "concurrency": 8, "page_size": 20}}
NO_ID = {
    "": "has no id",
    "null": "has no id",
    '""': "has no id",
    "12345": "has a number instead of a text as its id",
    '["crp1"]': "has a list instead of a text as its id",
    '"half \\ud800"': "has what is no Unicode instead of a text as its id",
}
"""What stands where an id should, as JSON (nothing: no field), and what is to be said of it."""

Listing = tuple[str, str]


def messages(run: Run) -> dict[Listing, str]:
    """Return what the ledger says of each listing that is not complete."""
    return {
        (row["listing"], row["parent_id"]): row["message"]
        for row in run.snapshot().tables["coverage"]
        if row["status"] != "complete"
    }


def details(run: Run) -> dict[str, str]:
    """Return what the findings about bad values say, by subject."""
    findings = run.snapshot().tables["findings"]
    return {row["subject"]: row["detail"] for row in findings if row["kind"] == "bad_value"}


def test_images_without_an_id_cost_no_others(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    images = list(cloud.estate.images())
    said = {image["id"]: words for image, words in zip(images[::17], NO_ID.values(), strict=False)}
    assert len(said) == len(NO_ID)
    cloud.faults = Faults(spoilt=dict(zip(said, NO_ID, strict=True)))
    exporter = exporter_for(cloud)
    # What is kept of such pages is told again by a run that goes on with it.
    for on_partial in ("fail", "publish"):
        cloud.calls.clear()
        limits = IMPATIENT | {"output": {"on_partial": on_partial}}
        run = exporter.run("--snapshot-id", "one", sections=limits)
    assert not cloud.calls.of("images")
    assert run.code == 3, run.stderr
    check_against(run.snapshot(), *without_ids(world_of(cloud.estate), said))
    lost = {f"{each['name']}@{each['digest']}": each for each in images if each["id"] in said}
    for subject, each in lost.items():
        words = f"image {subject} {said[each['id']]}"
        assert words in details(run)[subject]
        if said[each["id"]] != "has no id":
            assert f"left out: id {cloud.faults.spoilt[each['id']]}." in details(run)[subject]
        assert words in messages(run)["images", str(registry_of(each["name"]))]


def test_a_thing_without_an_id_is_named_and_the_others_are_listed(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    estate = cloud.estate
    clouds, folders = list(estate.clouds()), list(estate.folders())
    registries, repositories = list(estate.registries()), list(estate.repositories())
    bad_cloud = clouds[0]
    bad_folder = next(each for each in folders if each["cloudId"] == clouds[1]["id"])
    bad_registry = next(
        each
        for each in registries
        if each["folderId"] not in {bad_folder["id"], *_inside(folders, "cloudId", bad_cloud)}
    )
    whole = world_of(estate)
    left = {each["id"] for each in registries} - {bad_registry["id"]}
    gone_folders = {bad_folder["id"], *_inside(folders, "cloudId", bad_cloud)}
    left -= {each["id"] for each in registries if each["folderId"] in gone_folders}
    bad_repository = next(each for each in repositories if registry_of(each["name"]) in left)
    registry = str(registry_of(bad_repository["name"]))
    bad = {
        bad_cloud["id"]: ("clouds", "*", "clouds", bad_cloud["name"]),
        bad_folder["id"]: (
            "folders",
            clouds[1]["id"],
            f"folders of cloud {clouds[1]['id']}",
            bad_folder["name"],
        ),
        bad_registry["id"]: (
            "registries",
            bad_registry["folderId"],
            f"registries of folder {bad_registry['folderId']}",
            bad_registry["name"],
        ),
        bad_repository["name"]: (
            "repositories",
            registry,
            f"repositories of registry {registry}",
            bad_repository["id"],
        ),
    }
    cloud.faults = Faults(spoilt=dict(zip(bad, ("", "12345", "null", "[]"), strict=True)))
    run = exporter_for(cloud).run(sections=IMPATIENT)
    assert run.code == 3, run.stderr
    world = World(
        clouds=[each for each in whole.clouds if each is not bad_cloud],
        folders=[each for each in whole.folders if each["id"] not in gone_folders],
        registries=[each for each in whole.registries if each["id"] in left],
        repositories=[
            each
            for each in whole.repositories
            if registry_of(each["name"]) in left and each["name"] != bad_repository["name"]
        ],
        images=[each for each in whole.images if registry_of(each["name"]) in left],
        lost=[(f"{scope}: {known}", None, None) for _, _, scope, known in bad.values()],
    )
    listings = {(listing, parent) for listing, parent, _, _ in bad.values()}
    check_against(run.snapshot(), world, partial(complete_ledger(world), listings))
    for listing, parent, _, known in bad.values():
        assert known in messages(run)[listing, parent]


def _inside(items: Collection[dict[str, str]], parent: str, one: dict[str, str]) -> set[str]:
    return {each["id"] for each in items if each[parent] == one["id"]}


class Spoilt(Estate):
    """An estate with images that are no sound JSON, or hold what is no text."""

    def image_text(self, number: int) -> bytes:
        text = super().image_text(number)
        return {
            3: text.replace(b'"digest":', b'"digest":"sha256:other","digest":', 1),
            4: text.replace(b'"digest":"', b'"digest":"\\ud800', 1),
            5: text.replace(b'"digest":"', b'"digest":"\xff', 1),
            6: text.replace(b'"digest":"', b'"digest":7,"was":"', 1),
            7: text.replace(b'"id":"', b'"id":"\xff', 1),
            8: b"null",
        }.get(number, text)


def test_what_is_no_text_in_an_image_costs_itself_alone(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(images=40, layers=1, empty_share=0.0)
    cloud = serve_cloud(Spoilt(shape))
    run = exporter_for(cloud).run(sections=IMPATIENT)
    assert run.code == 3, run.stderr
    sound = [json.loads(Estate(shape).image_text(number)) for number in range(40)]
    expected = {each["id"]: each["digest"] for each in sound[:7] + sound[9:]}
    without = {each["id"] for each in sound[3:7]}
    found = {row["image_id"]: row["digest"] for row in run.snapshot().tables["images"]}
    assert found == expected | dict.fromkeys(without)
    (listing,) = messages(run)
    lost = {f"{sound[7]['name']}@{sound[7]['digest']}", f"images of registry {listing[1]}"}
    assert details(run).keys() == without | lost
    assert "is null instead of an object" in messages(run)[listing]


def test_what_is_spoilt_for_a_while_is_asked_for_again(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=Faults({"numbers": 0.5, "utf8-value": 0.5}, in_a_row=3))
    check_against(exporter_for(cloud).export(), world_of(cloud.estate))


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("changed", [False, True], ids=["the same", "changed"])
@pytest.mark.parametrize("shape", [SHAPE, GIANT], ids=["small", "split"])
def test_a_row_that_stands_twice_on_its_page_is_one(
    shape: Shape,
    changed: bool,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(shape)
    registry = busiest_registry(cloud.estate)
    images = [dict(each) for each in cloud.estate.images(registry)]
    twice = images[:: max(1, len(images) // 7)]
    cloud.behaviour = replace(cloud.behaviour, latency=0.003)
    cloud.faults = Faults(repeated={each["id"]: changed for each in twice})
    again = [each | {"tags": ["repeated"]} if changed else each for each in twice]
    world = world_of(cloud.estate, images=[*cloud.estate.images(), *again])
    coverage = complete_ledger(world_of(cloud.estate))
    check_against(exporter_for(cloud).export(IMPATIENT), world, coverage)
    split = any("repositoryName" in call.query for call in cloud.calls.of("images"))
    assert split == (shape is GIANT)
