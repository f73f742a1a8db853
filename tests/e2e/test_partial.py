"""What cannot be listed is named, and makes nothing else look like less than it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from exporter.emulator import Faults
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.worlds import (
    busiest_registry,
    check_against,
    cloud_of,
    complete_ledger,
    folder_of,
    with_status,
    world_of,
)
from tests.oracle.listed import World
from tests.oracle.values import Rows

FOREVER = 1_000_000
"""More faults in a row than anybody retries."""


def published_in_part(run: Run) -> None:
    """Check that a run says, everywhere, that what it published is not all there is."""
    assert run.code == 3, run.stderr
    assert len(run.published) == 1
    assert run.latest is None
    assert run.snapshot().manifest["status"] == "partial"
    assert "partial" in run.stderr


def without_registry(cloud: Cloud, registry_id: str) -> World:
    """The world in which a registry is there, and nothing that is in it."""
    world = world_of(cloud.estate)
    empty = world_of(cloud.estate, registries=[registry_id])
    world.repositories = [each for each in world.repositories if each not in empty.repositories]
    world.images = [each for each in world.images if each not in empty.images]
    return world


@pytest.mark.parametrize(
    ("refuse", "http_status", "code"),
    [
        (lambda ids: Faults(denied=ids), 403, "PERMISSION_DENIED"),
        (lambda ids: Faults(unauthorized=ids), 401, "UNAUTHENTICATED"),
    ],
    ids=["403", "401"],
)
def test_a_registry_that_may_not_be_read_leaves_the_others_complete(
    refuse: Callable[[frozenset[str]], Faults],
    http_status: int,
    code: str,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud()
    registry = busiest_registry(cloud.estate)
    cloud.faults = refuse(frozenset({registry}))
    run = exporter_for(cloud).run()
    published_in_part(run)
    world = without_registry(cloud, registry)
    listings = (("repositories", registry), ("images", registry))
    coverage = with_status(complete_ledger(world), "denied", 0, *listings)
    snapshot = run.snapshot()
    check_against(snapshot, world, coverage)
    for row in snapshot.tables["coverage"]:
        if row["status"] == "denied":
            assert (row["http_status"], row["error_code"]) == (http_status, code)
    incomplete = {row["scope_id"] for row in snapshot.tables["size_totals"] if not row["complete"]}
    folder = folder_of(cloud.estate, registry)
    assert incomplete == {registry, folder, cloud_of(cloud.estate, folder), "*"}


def test_a_folder_that_may_not_be_read_leaves_the_others_complete(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    folder = folder_of(cloud.estate, busiest_registry(cloud.estate))
    cloud.deny(folder)
    snapshot = exporter_for(cloud).export()
    world, coverage = without_folders(cloud, {folder})
    check_against(snapshot, world, with_status(coverage, "denied", 0, ("registries", folder)))


def test_a_cloud_that_may_not_be_read_leaves_the_others_complete(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    denied = next(cloud.estate.clouds())["id"]
    cloud.deny(denied)
    snapshot = exporter_for(cloud).export()
    world = world_of(cloud.estate)
    world.folders = [each for each in world.folders if each["cloudId"] != denied]
    world = keep_what_is_in_folders(world)
    coverage = with_status(complete_ledger(world), "denied", 0, ("folders", denied))
    check_against(snapshot, world, coverage)


def without_folders(cloud: Cloud, folders: set[str]) -> tuple[World, Rows]:
    """The world in which some folders are there, and nothing that is in them."""
    world = world_of(cloud.estate)
    hidden = [each["id"] for each in world.registries if each["folderId"] in folders]
    world.registries = [each for each in world.registries if each["id"] not in hidden]
    return keep_what_is_in_registries(world), complete_ledger(keep_what_is_in_registries(world))


def keep_what_is_in_folders(world: World) -> World:
    """Drop the registries that are in no folder of the world, and what is in them."""
    ids = {folder["id"] for folder in world.folders}
    world.registries = [each for each in world.registries if each["folderId"] in ids]
    return keep_what_is_in_registries(world)


def keep_what_is_in_registries(world: World) -> World:
    """Drop the repositories and images that are in no registry of the world."""
    ids = {registry["id"] for registry in world.registries}
    world.repositories = [r for r in world.repositories if r["name"].partition("/")[0] in ids]
    world.images = [i for i in world.images if i["name"].partition("/")[0] in ids]
    return world


def test_what_was_complete_yesterday_stays_the_latest(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    assert exporter.export(snapshot_id="yesterday").id == "yesterday"
    cloud.deny(busiest_registry(cloud.estate))
    run = exporter.run("--snapshot-id", "today")
    assert run.code == 3, run.stderr
    assert run.published == ["today", "yesterday"]
    assert run.latest == "yesterday"


def test_with_on_partial_fail_a_partial_result_is_not_published(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    denied = busiest_registry(cloud.estate)
    cloud.deny(denied)
    run = exporter_for(cloud).run(sections={"output": {"on_partial": "fail"}})
    assert run.code == 1, run.stderr
    assert run.published == []
    assert run.latest is None
    assert not list(run.output.glob("parquet/**/*.parquet"))
    assert "partial" in run.said


def test_a_registry_that_was_deleted_meanwhile_is_vanished_and_the_rest_is_whole(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    gone = busiest_registry(cloud.estate)
    cloud.faults = Faults(vanished={gone: 0})
    exporter = exporter_for(cloud)
    snapshot = exporter.export()
    world = without_registry(cloud, gone)
    listings = (("repositories", gone), ("images", gone))
    check_against(snapshot, world, with_status(complete_ledger(world), "vanished", 0, *listings))
    assert snapshot.manifest["status"] == "complete"


def test_what_lost_a_part_meanwhile_is_not_the_latest_and_nothing_is_removed_for_it(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    sections = {"output": {"keep": {"last": 1}}}
    assert exporter.run("--snapshot-id", "yesterday", sections=sections).code == 0
    gone = busiest_registry(cloud.estate)

    def remove_it() -> None:
        cloud.faults = Faults(vanished={gone: 0})

    cloud.calls.after(
        1, remove_it, lambda call: call.query.get("folderId") == folder_of(cloud.estate, gone)
    )
    run = exporter.run("--snapshot-id", "today", sections=sections)
    assert run.code == 0, run.stderr
    assert (run.published, run.latest) == (["today", "yesterday"], "yesterday")
    (told,) = [event for event in run.events if event["event"] == "latest_not_moved"]
    assert "vanished" in told["reason"]
    cloud.mend()
    run = exporter.run("--snapshot-id", "tomorrow", sections=sections)
    assert (run.published, run.latest) == (["tomorrow"], "tomorrow")


def test_nights_that_lack_what_vanished_say_so_are_no_success_and_do_not_pile_up(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    flags = ("--quiet", "--log-format", "console", "--metrics-file", "run.prom", "--snapshot-id")
    sections = {"output": {"keep": {"last": 1, "partial": 1}, "formats": ["parquet"]}}
    assert exporter.run(*flags, "good", sections=sections).stderr == ""
    success = re.compile(r"^registry_exporter_(?:last_success_\w+|images) .*$", re.MULTILINE)
    good = success.findall((exporter.folder / "run.prom").read_text())
    assert len(good) == 2
    gone = busiest_registry(cloud.estate)
    for night in ("first", "second"):
        cloud.mend()
        cloud.calls.after(
            1,
            lambda: setattr(cloud, "faults", Faults(vanished={gone: 0})),
            lambda call: call.query.get("folderId") == folder_of(cloud.estate, gone),
        )
        run = exporter.run(*flags, night, sections=sections)
        assert run.code == 0
        (said,) = run.stderr.splitlines()
        assert said.startswith(
            f"registry-exporter: Snapshot {night} lacks what vanished during the run, 2 of"
        )
        assert f"images of {gone}" in said
        assert success.findall((exporter.folder / "run.prom").read_text()) == good
        assert (run.published, run.latest) == (sorted(["good", night]), "good")


def test_a_registry_that_gives_up_midway_counts_what_came_and_says_so(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    broken = busiest_registry(cloud.estate)

    def break_it() -> None:
        cloud.faults = Faults({"500": 1.0}, scopes=frozenset({broken}), in_a_row=FOREVER)

    cloud.calls.after(
        2,
        break_it,
        lambda call: call.query.get("registryId") == broken and call.path.endswith("/images"),
    )
    limits = {"page_size": 5, "attempts": 2, "concurrency": 1, "split_listings": False}
    snapshot = exporter_for(cloud).export({"limits": limits})
    assert snapshot.manifest["status"] == "partial"
    assert snapshot.statuses()["images", broken] == "partial"
    row = next(row for row in snapshot.tables["size_totals"] if row["scope_id"] == broken)
    assert (row["image_count"], row["complete"]) == (10, False)
    others = [row for row in snapshot.tables["images"] if row["registry_id"] != broken]
    here = len(cloud.estate.image_numbers(broken))
    assert len(others) == cloud.estate.shape.images - here


def test_a_run_that_could_list_nothing_publishes_nothing(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults({"503": 1.0}, in_a_row=FOREVER, retry_after=None)
    cloud = serve_cloud(faults=faults)
    run = exporter_for(cloud).run(sections={"limits": {"attempts": 2, "outage": "0s"}})
    assert run.code == 1, run.stderr
    assert run.published == []
    assert "503" in run.said
    assert "check the network and the address" in run.said
