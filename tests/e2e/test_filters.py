"""Filters: what is named is listed whole with its parents, what is left out is said to be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from exporter.emulator import Estate, Quirks, Resource, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import (
    busiest_registry,
    check_against,
    cloud_of,
    complete_ledger,
    folder_of,
    world_of,
)
from tests.oracle.listed import World
from tests.oracle.snapshots import Snapshot
from tests.oracle.values import Row, Rows, registry_of

SHAPE = Shape(clouds=2, folders=5, registries=7, repositories=24, images=200, layers=4)


def skipped(listing: str, *parents: str) -> Rows:
    return [{"listing": listing, "parent_id": p, "status": "skipped", "rows": 0} for p in parents]


def looked_through(estate: Estate, world: World, folders: Collection[str]) -> Rows:
    """The ledger down to the registries of a run that looked through all clouds, and some folders.

    All of it is complete, whatever was kept of it.
    """
    children = {"*": ids(list(estate.clouds()))}
    children |= {cloud: ids(list(estate.folders(cloud))) for cloud in children["*"]}
    children |= {folder: ids(list(estate.registries(folder))) for folder in folders}
    kept = {*ids(world.clouds), *ids(world.folders), *ids(world.registries)}

    def looked_at(listing: str, one: str) -> Row:
        rows = len(kept.intersection(children[one]))
        return {"listing": listing, "parent_id": one, "status": "complete", "rows": rows}

    return [
        looked_at("clouds", "*"),
        *(looked_at("folders", each) for each in ids(list(estate.clouds()))),
        *(looked_at("registries", each) for each in folders),
    ]


def below_registries(world: World) -> Rows:
    """The ledger of the registries' own listings, all complete."""
    rows = complete_ledger(world)
    return [row for row in rows if row["listing"] in ("repositories", "images")]


def ids(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(resource["id"]) for resource in resources]


def test_a_named_cloud_is_listed_and_the_others_are_skipped(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    named, other = ids(list(cloud.estate.clouds()))
    exporter = exporter_for(cloud)
    snapshot = exporter.export({"scope": {"clouds": [named]}})
    world = world_of(cloud.estate, clouds=[named])
    check_against(snapshot, world, complete_ledger(world) + skipped("folders", other))
    assert exporter.read().latest == snapshot.id


def test_an_organization_holds_its_clouds_only(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    organization = next(cloud.estate.clouds())["organizationId"]
    snapshot = exporter_for(cloud).export({"scope": {"organization_id": organization}})
    check_against(snapshot, world_of(cloud.estate))
    asked = cloud.calls.of("clouds")
    assert asked
    assert {call.query.get("organizationId") for call in asked} == {organization}


def test_a_named_folder_is_listed_with_its_cloud_and_the_others_are_skipped(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    folder = folder_of(cloud.estate, busiest_registry(cloud.estate))
    exporter = exporter_for(cloud)
    run = exporter.run("--folder", folder)
    assert run.code == 0, run.stderr
    holding = cloud_of(cloud.estate, folder)
    world = world_of(cloud.estate, clouds=[holding], folders=[folder])
    others = [each for each in ids(list(cloud.estate.folders())) if each != folder]
    coverage = [
        *looked_through(cloud.estate, world, [folder]),
        *skipped("registries", *others),
        *below_registries(world),
    ]
    snapshot = run.snapshot()
    check_against(snapshot, world, coverage)
    for table in ("folders", "registries", "images"):
        assert {row["cloud_id"] for row in snapshot.tables[table]} == {holding}
    assert whole(snapshot, folder)
    assert not whole(snapshot, holding)
    assert not whole(snapshot, "*")
    verified = exporter.command("verify", "--output", str(run.output))
    assert verified.code == 0, verified.stdout


def whole(snapshot: Snapshot, scope_id: str) -> bool:
    """Say whether a scope's totals count all there is in it."""
    (row,) = (row for row in snapshot.tables["size_totals"] if row["scope_id"] == scope_id)
    return bool(row["complete"])


def test_a_named_registry_has_the_parents_that_can_be_learned(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    exporter = exporter_for(cloud)
    run = exporter.run("--registry", registry)
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), *only_registry(cloud.estate, registry))
    verified = exporter.command("verify", "--output", str(exporter.output))
    assert verified.code == 0, verified.stdout


def test_a_folder_that_holds_nothing_of_what_was_named_is_missing_in_its_cloud(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(clouds=1, folders=2, registries=2, repositories=6, images=20, layers=2)
    cloud = serve_cloud(shape)
    first, second = (each["id"] for each in cloud.estate.folders())
    (registry,) = ids(list(cloud.estate.registries(first)))
    assert len(list(cloud.estate.registries(second))) == 1
    snapshot = exporter_for(cloud).export({"scope": {"registries": [registry]}})
    check_against(snapshot, *only_registry(cloud.estate, registry))
    assert whole(snapshot, registry)
    assert whole(snapshot, first)
    assert not whole(snapshot, cloud_of(cloud.estate, first))


class Doubling(Estate):
    """An estate whose lists name a folder twice on a page, and a registry in two folders."""

    def folders(self, cloud_id: str | None = None) -> Iterator[Resource]:
        listed = list(super().folders(cloud_id))
        return iter(listed + listed[:1] if cloud_id else listed)

    def registries(self, folder_id: str | None = None) -> Iterator[Resource]:
        listed = list(super().registries(folder_id))
        first = next(super().registries())
        doubled = folder_id is not None and first not in listed
        return iter([*listed, first] if doubled else listed)


def test_the_ledger_counts_the_rows_that_were_kept_wherever_and_however_often_they_were_named(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(Doubling(Shape(clouds=1, folders=3, registries=5, images=30, layers=1)))
    tables = exporter_for(cloud).export().tables
    rows = {(row["listing"], row["parent_id"]): row["rows"] for row in tables["coverage"]}
    (held,) = tables["clouds"]
    assert rows["clouds", "*"] == 1
    assert rows["folders", held["cloud_id"]] == len(tables["folders"]) == 3
    assert sum(rows["registries", each["folder_id"]] for each in tables["folders"]) == 5
    assert len(tables["registries"]) == 5


def only_registry(estate: Estate, registry: str) -> tuple[World, Rows]:
    """The world and the ledger of a run that was told one registry, and could look around."""
    folder = folder_of(estate, registry)
    world = world_of(
        estate, clouds=[cloud_of(estate, folder)], folders=[folder], registries=[registry]
    )
    others = [each for each in ids(list(estate.registries())) if each != registry]
    coverage = [
        *looked_through(estate, world, ids(list(estate.folders()))),
        *skipped("repositories", *others),
        *skipped("images", *others),
        *below_registries(world),
    ]
    return world, coverage


def test_a_named_registry_whose_parents_may_not_be_read_has_none(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    # The token is good for the registry alone.
    cloud.deny("*")
    snapshot = exporter_for(cloud).export({"scope": {"registries": [registry]}})
    world = world_of(cloud.estate, clouds=[], folders=[], registries=[registry])
    world.registries, world.unseen_registries = [], [registry]
    coverage = skipped("clouds", "*") + below_registries(world)
    check_against(snapshot, world, coverage)
    for table in ("registries", "repositories", "images"):
        assert {(r["folder_id"], r["cloud_id"]) for r in snapshot.tables[table]} == {(None, None)}


def test_a_named_folder_whose_cloud_cannot_be_learned_is_listed_and_its_cloud_is_missing(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    folder = folder_of(cloud.estate, busiest_registry(cloud.estate))
    cloud.deny("*")
    run = exporter_for(cloud).run(sections={"scope": {"folders": [folder]}})
    assert run.code == 3, run.stderr
    snapshot = run.snapshot()
    statuses = snapshot.statuses()
    assert statuses.pop(("clouds", "*")) == "denied"
    assert set(statuses.values()) == {"complete"}
    inside = [each["id"] for each in cloud.estate.registries(folder)]
    tables = snapshot.tables
    assert {row["registry_id"] for row in tables["registries"]} == set(inside)
    assert {row["folder_id"] for row in tables["images"]} == {folder}
    assert len(tables["images"]) == sum(len(cloud.estate.image_numbers(each)) for each in inside)


def test_a_named_folder_that_was_met_needs_no_other_cloud_to_be_read(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    folder = folder_of(cloud.estate, busiest_registry(cloud.estate))
    holding = cloud_of(cloud.estate, folder)
    (other,) = (each for each in ids(list(cloud.estate.clouds())) if each != holding)
    cloud.deny(other)
    run = exporter_for(cloud).run("--folder", folder)
    assert run.code == 0, run.stderr
    assert run.snapshot().statuses()["folders", other] == "skipped"


PATTERNS: dict[str, tuple[list[str], list[str]]] = {
    "some by a pattern": (["*/*"], []),
    "all but some": (["*"], ["*-1*", "*v*"]),
    "some but not all of those": (["*a*", "*e*"], ["*s*"]),
    "a class of characters": (["[a-i]*"], []),
}


def wanted(include: list[str], exclude: list[str]) -> Callable[[str], bool]:
    """Say by full name whether a repository is wanted, as the settings' comment has it."""

    def matches(name: str) -> bool:
        path = name.partition("/")[2]
        return any(fnmatchcase(path, each) for each in include) and not any(
            fnmatchcase(path, each) for each in exclude
        )

    return matches


@pytest.mark.parametrize(("include", "exclude"), PATTERNS.values(), ids=PATTERNS)
def test_repositories_by_pattern_are_listed_and_the_registries_say_that_some_are_left_out(
    include: list[str],
    exclude: list[str],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE)
    chosen = wanted(include, exclude)
    snapshot = exporter_for(cloud).export(
        {"scope": {"repositories": {"include": include, "exclude": exclude}}}
    )
    check_filtered(snapshot.statuses(), cloud.estate, chosen)
    world = world_of(cloud.estate, repositories=chosen)
    coverage = [
        row | {"status": snapshot.statuses()[row["listing"], row["parent_id"]]}
        for row in complete_ledger(world)
    ]
    check_against(snapshot, world, coverage)


def check_filtered(
    statuses: dict[tuple[str, str], str], estate: Estate, chosen: Callable[[str], bool]
) -> None:
    """Check that the images of a registry are skipped, in part, where repositories are left out."""
    left_out = {registry_of(r["name"]) for r in estate.repositories() if not chosen(r["name"])}
    assert left_out
    for registry in ids(list(estate.registries())):
        expected = "skipped" if registry in left_out else "complete"
        assert statuses["images", registry] == expected, registry


def test_exactly_named_repositories_are_asked_for_alone(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    registry = busiest_registry(cloud.estate)
    name = next(each["name"] for each in cloud.estate.images(registry))
    path = name.partition("/")[2]
    scope = {"registries": [registry], "repositories": {"include": [path]}}
    tables = exporter_for(cloud).export({"scope": scope}).tables
    wanted_ids = {each["id"] for each in cloud.estate.images(registry) if each["name"] == name}
    assert {row["image_id"] for row in tables["images"]} == wanted_ids
    assert [row["repository_name"] for row in tables["repositories"]] == [name]
    assert {call.query.get("repositoryName") for call in cloud.calls.of("images")} == {name}


UNLISTED = replace(SHAPE, quirks=Quirks(unlisted_repository=True))


def unlisted_repository(estate: Estate) -> tuple[str, str]:
    """Return a registry, and the path in it of a repository that no list names."""
    name = next(iter(estate.unlisted_repositories()))
    registry, _, path = name.partition("/")
    return registry, path


def test_an_exactly_named_repository_of_a_named_registry_needs_no_list_to_name_it(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(UNLISTED)
    registry, path = unlisted_repository(cloud.estate)
    scope = {"registries": [registry], "repositories": {"include": [path, "no-such-repository"]}}
    run = exporter_for(cloud).run(sections={"scope": scope})
    assert run.code == 3, run.stderr
    assert run.snapshot().statuses()["images", "no-such-repository"] == "failed"
    tables = run.snapshot().tables
    name = f"{registry}/{path}"
    wanted_ids = {each["id"] for each in cloud.estate.images(registry) if each["name"] == name}
    assert wanted_ids
    assert {row["image_id"] for row in tables["images"]} == wanted_ids
    asked = {call.query.get("repositoryName") for call in cloud.calls.of("images")}
    assert asked == {name, f"{registry}/no-such-repository"}


def test_a_named_repository_that_cannot_be_asked_for_alone_is_found_in_its_registry(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(UNLISTED)
    registry, path = unlisted_repository(cloud.estate)
    # Of two names, the API does not take one as `repositoryName`.
    scope = {"registries": [registry], "repositories": {"include": [path, "dou__ble"]}}
    run = exporter_for(cloud).run(sections={"scope": scope})
    assert run.code == 3, run.stderr
    assert run.snapshot().statuses()["images", "dou__ble"] == "failed"
    rows = run.snapshot().tables["images"]
    assert {row["repository_name"] for row in rows} == {f"{registry}/{path}"}
    assert {call.query.get("repositoryName") for call in cloud.calls.of("images")} == {None}
