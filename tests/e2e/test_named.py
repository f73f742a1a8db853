"""What `scope` names and is not found is said by its name; what it excludes is not asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from exporter.emulator import Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import busiest_registry, cloud_of, folder_of
from tests.oracle.snapshots import read_snapshot

SHAPE = Shape(clouds=2, folders=3, registries=4, repositories=12, images=60, layers=1)
LISTINGS = {"clouds": "folders", "folders": "registries", "registries": "images"}
"""What is listed in a thing of a level."""
TYPO = "b1gtypo00000000000000"


def scope_of(cloud: Cloud, level: str) -> tuple[str, str]:
    """Return the id of a thing of a level, and the listing that is made in it."""
    return above_registry(cloud, busiest_registry(cloud.estate))[level], LISTINGS[level]


def above_registry(cloud: Cloud, registry: str) -> dict[str, str]:
    """Return a registry with its folder and its cloud, by level."""
    folder = folder_of(cloud.estate, registry)
    return {"clouds": cloud_of(cloud.estate, folder), "folders": folder, "registries": registry}


@pytest.mark.parametrize("level", LISTINGS)
def test_a_mistyped_id_ends_in_1_with_its_name_and_nothing_published(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    run = exporter_for(cloud).run(sections={"scope": {level: [TYPO]}})
    nothing_published(run, TYPO)
    assert "NOT_FOUND" in run.said


def nothing_published(run: Any, *words: str) -> None:
    assert run.code == 1, run.stderr
    assert run.published == []
    assert run.latest is None
    for word in words:
        assert word in run.said
    assert len(run.said.splitlines()) == 1
    assert not list(run.output.glob(".staging*/*/journal*"))


@pytest.mark.parametrize("level", LISTINGS)
def test_a_mistyped_id_beside_a_right_one_makes_the_snapshot_partial(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    there, listing = scope_of(cloud, level)
    run = exporter_for(cloud).run(sections={"scope": {level: [there, TYPO]}})
    assert run.code == 3, run.stderr
    statuses = run.snapshot().statuses()
    assert statuses[listing, TYPO] == "failed"
    assert statuses[listing, there] == "complete"
    assert run.snapshot().tables["images"]


@pytest.mark.parametrize("level", LISTINGS)
def test_a_named_thing_that_may_not_be_read_ends_in_1_and_beside_another_in_3(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(Shape(clouds=3, folders=3, registries=3, repositories=9, images=40))
    denied, listing = scope_of(cloud, level)
    others = (
        above_registry(cloud, image["name"].partition("/")[0]) for image in cloud.estate.images()
    )
    other = next(one[level] for one in others if one[level] != denied)
    cloud.deny(denied)
    exporter = exporter_for(cloud)
    nothing_published(exporter.run(sections={"scope": {level: [denied]}}), denied, "403")
    run = exporter.run(sections={"scope": {level: [denied, other]}})
    assert run.code == 3, run.stderr
    assert run.snapshot().statuses()[listing, denied] == "denied"


def test_a_mistyped_cloud_is_said_though_its_registry_is_found(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    scope = {"clouds": [TYPO], "registries": [registry]}
    run = exporter_for(cloud).run(sections={"scope": scope})
    assert run.code == 3, run.stderr
    assert run.snapshot().statuses()["folders", TYPO] == "failed"
    assert run.snapshot().tables["images"]


def test_a_mistyped_organization_ends_in_1_with_its_name(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    run = exporter_for(serve_cloud(SHAPE)).run(sections={"scope": {"organization_id": TYPO}})
    nothing_published(run, f"organization {TYPO}")


def paths(cloud: Cloud) -> list[str]:
    return [one["name"].partition("/")[2] for one in cloud.estate.repositories()]


@pytest.mark.parametrize("pattern", ["no-such-repository", "no-such-team/*"])
def test_a_pattern_that_matches_nothing_says_what_it_is_held_against_and_shows_some(
    pattern: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    run = exporter.run(sections={"scope": {"repositories": {"include": [pattern]}}})
    nothing_published(run, pattern, "the path after the registry")
    assert sum(path in run.said for path in set(paths(cloud))) >= 3


def test_a_pattern_that_matches_nothing_beside_one_that_does_makes_the_snapshot_partial(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    pattern, there = "no-such-team/*", paths(cloud)[0]
    snapshot = exporter.export({"scope": {"repositories": {"include": [pattern, there]}}})
    assert snapshot.manifest["status"] == "partial"
    assert snapshot.statuses()["images", pattern] == "failed"
    assert {row["repository_name"].partition("/")[2] for row in snapshot.tables["images"]} == {
        there
    }
    verified = exporter.command("verify", snapshot.id, "--output", str(exporter.output))
    assert verified.code == 0, verified.stdout + verified.stderr


def test_a_repository_with_its_registry_in_front_is_told_how_to_be_written(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    name = next(iter(cloud.estate.images()))["name"]
    registry, _, path = name.partition("/")
    run = exporter_for(cloud).run(sections={"scope": {"repositories": {"include": [name]}}})
    nothing_published(run, name, f"so write {path}, and {registry} in scope.registries")


def test_where_everything_is_left_out_nothing_is_published(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    run = exporter_for(cloud).run(sections={"scope": {"repositories": {"exclude": ["*"]}}})
    nothing_published(run, "scope.repositories.exclude leaves out every one")


def test_a_plan_names_what_is_not_found_as_well(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud(SHAPE))
    config = exporter.write_config({"scope": {"folders": [TYPO]}})
    run = exporter.command("plan", "--config", str(config))
    assert run.code == 1, run.stderr
    assert TYPO in run.said


def test_a_plan_of_some_repositories_lists_the_registries_they_may_be_in(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    scope = {"repositories": {"include": [paths(cloud)[0]]}}
    run = exporter.command("plan", "--config", str(exporter.write_config({"scope": scope})))
    assert run.code == 0, run.stderr
    assert f"An export would list {SHAPE.registries} registries" in run.stdout


def test_a_plan_asks_as_an_export_does_for_a_registry_whose_parents_may_not_be_read(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    exporter = exporter_for(cloud)
    plan = ("plan", "--config", str(exporter.write_config()), "--registry")
    cloud.deny("*")
    run = exporter.command(*plan, registry)
    assert run.code == 0, run.stderr
    asked = "1 registry (no complete snapshot says how many images), with at least 3 calls"
    assert f"An export would list {asked}" in run.stdout
    before = len(cloud.calls)
    assert exporter.run("--registry", registry, "--format", "parquet").code == 0
    assert len(cloud.calls) - before >= 3
    mistyped = exporter.command(*plan, TYPO)
    assert mistyped.code == 1, mistyped.stdout
    assert f"registry {TYPO} (the API answered 404 NOT_FOUND" in mistyped.said
    cloud.deny("*", registry)
    denied = exporter.command(*plan, registry)
    assert denied.code == 1, denied.stdout
    assert f"registry {registry} (the API answered 403 PERMISSION_DENIED" in denied.said


def test_a_plan_says_that_a_registry_is_not_found(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = exporter_for(cloud)
    config = str(exporter.write_config())
    run = exporter.command("plan", "--config", config, "--registry", TYPO, "--quiet")
    assert run.code == 1, run.stdout
    assert f"registry {TYPO} (the API answered 404 NOT_FOUND" in run.said
    there = next(cloud.estate.registries())["id"]
    run = exporter.command(
        *("plan", "--config", config, "--registry", TYPO, "--registry", there, "--quiet")
    )
    assert run.code == 3, run.stderr
    assert f"repositories of {TYPO} (failed)" in run.said
    assert "An export would list 1 registry" in run.stdout
    clouds = SHAPE.clouds
    assert re.search(rf"^clouds +\* +{clouds} +complete", run.stdout, re.MULTILINE), run.stdout


@pytest.mark.parametrize("level", LISTINGS)
def test_what_is_excluded_is_skipped_and_the_rest_is_complete(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    denied, listing = scope_of(cloud, level)
    cloud.deny(denied)
    exporter = exporter_for(cloud)
    first = exporter.export(snapshot_id="first")
    assert first.manifest["status"] == "partial"
    (row,) = (
        row
        for row in first.tables["coverage"]
        if row["parent_id"] == denied and row["listing"] == listing
    )
    advice = f"scope.exclude.{level}: [{denied}]"
    assert advice in row["message"]
    asked_before = len([call for call in cloud.calls if denied in call.query.values()])
    run = exporter.run(
        "--snapshot-id", "second", sections={"scope": {"exclude": {level: [denied]}}}
    )
    assert run.code == 0, run.stderr
    assert run.latest == "second"
    asked = len([call for call in cloud.calls if denied in call.query.values()])
    assert asked == asked_before
    snapshot = read_snapshot(exporter.output, "second")
    assert snapshot.statuses()[listing, denied] == "skipped"
    assert snapshot.manifest["status"] == "complete"
    assert snapshot.manifest["scope"]["exclude"][level] == [denied]


def test_an_excluded_id_comes_from_the_environment_and_is_warned_of_where_it_is_not_met(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud(SHAPE))
    exporter.environment["REGISTRY_EXPORTER__SCOPE__EXCLUDE__FOLDERS"] = TYPO
    run = exporter.run()
    assert run.code == 0, run.stderr
    (event,) = (one for one in run.events if one["event"] == "excluded_not_met")
    assert (event["level"], event["id"]) == ("warning", TYPO)


def test_an_id_that_is_named_and_excluded_is_refused(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    scope = {"folders": ["b1g1", "b1g2"], "exclude": {"folders": ["b1g2"]}}
    run = exporter_for(None).run(sections={"scope": scope})
    assert run.code == 2, run.stderr
    assert "b1g2 is named in scope.folders and left out by scope.exclude.folders" in run.said


@pytest.mark.parametrize("level", ["*", "clouds", "folders", "registries"])
def test_where_every_listing_is_denied_nothing_is_published_and_the_run_ends_in_4(
    level: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    # At first, of a token that may not even list clouds.
    things = [{"id": "*"}] if level == "*" else getattr(cloud.estate, level)()
    cloud.deny(*(str(one["id"]) for one in things))
    run = exporter_for(cloud).run()
    assert run.code == 4, run.stderr
    assert run.published == []
    assert "Every listing was denied, so nothing is published" in run.said
