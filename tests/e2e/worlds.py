"""What a run over an emulated estate should have seen: the estate's truth as the oracle's world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from exporter.emulator import Estate, Resource
from tests.oracle.compare import differences
from tests.oracle.listed import World
from tests.oracle.schema import KEYS
from tests.oracle.snapshots import Snapshot, check_tables
from tests.oracle.truth import truth
from tests.oracle.values import Row, Rows, registry_of


def world_of(
    estate: Estate,
    *,
    registries: Iterable[str] | None = None,
    folders: Iterable[str] | None = None,
    clouds: Iterable[str] | None = None,
    repositories: Callable[[str], bool] = lambda _: True,
    images: Iterable[Resource] | None = None,
) -> World:
    """Return the whole estate, or what a filter leaves of it.

    `registries`, `folders` and `clouds` are the ids that stay; without them, what is in those
    that stay. `repositories` says by full name whether a repository's images are wanted.
    `images` replaces the estate's own.
    """
    all_folders, all_registries = list(estate.folders()), list(estate.registries())
    kept_clouds = _kept(clouds, (cloud["id"] for cloud in estate.clouds()))
    kept_folders = _kept(folders, (f["id"] for f in all_folders if f["cloudId"] in kept_clouds))
    kept = _kept(registries, (r["id"] for r in all_registries if r["folderId"] in kept_folders))
    return World(
        clouds=[each for each in estate.clouds() if each["id"] in kept_clouds],
        folders=[each for each in all_folders if each["id"] in kept_folders],
        registries=[each for each in all_registries if each["id"] in kept],
        repositories=[
            each
            for each in estate.repositories()
            if registry_of(each["name"]) in kept and repositories(each["name"])
        ],
        images=[
            each
            for each in (estate.images() if images is None else images)
            if registry_of(each["name"]) in kept and repositories(each["name"])
        ],
        cloud_of_folder={each["id"]: each["cloudId"] for each in all_folders},
        folder_of_registry={each["id"]: each["folderId"] for each in all_registries},
    )


def _kept(named: Iterable[str] | None, those_inside: Iterable[str]) -> set[str]:
    return set(those_inside if named is None else named)


def busiest_registry(estate: Estate) -> str:
    """Return the id of the registry with the most images."""
    ids: list[str] = [registry["id"] for registry in estate.registries()]
    return max(ids, key=lambda each: len(estate.image_numbers(each)))


def folder_of(estate: Estate, registry_id: str) -> str:
    """Return the folder a registry is in."""
    return next(str(r["folderId"]) for r in estate.registries() if r["id"] == registry_id)


def cloud_of(estate: Estate, folder_id: str) -> str:
    """Return the cloud a folder is in."""
    return next(str(f["cloudId"]) for f in estate.folders() if f["id"] == folder_id)


def complete_ledger(world: World) -> Rows:
    """Return what the ledger says of a run that listed all of a world: a row for each listing."""
    folders = Counter(folder["cloudId"] for folder in world.folders)
    registries = Counter(registry["folderId"] for registry in world.registries)
    repositories = Counter(registry_of(each["name"]) for each in world.repositories)
    images = Counter(registry_of(image.get("name") or "") for image in world.images)
    ids: list[str] = [*(registry["id"] for registry in world.registries), *world.unseen_registries]
    return [
        _listed("clouds", "*", len(world.clouds)),
        *(_listed("folders", cloud["id"], folders[cloud["id"]]) for cloud in world.clouds),
        *(_listed("registries", each["id"], registries[each["id"]]) for each in world.folders),
        *(_listed("repositories", each, repositories[each]) for each in ids),
        *(_listed("images", each, images[each]) for each in ids),
    ]


def _listed(listing: str, parent_id: str, rows: int) -> Row:
    return {"listing": listing, "parent_id": parent_id, "status": "complete", "rows": rows}


def without_ids(world: World, images: Collection[str]) -> tuple[World, Rows]:
    """Return a world with no id that can be read of some images, and its ledger.

    Such an image has no row, a finding tells of it, and its registry is partial.
    """
    lost = [image for image in world.images if image["id"] in images]
    left = replace(
        world,
        images=[image for image in world.images if image["id"] not in images],
        lost=[
            (f"{image['name']}@{image['digest']}", registry_of(image["name"]), image["name"])
            for image in lost
        ],
    )
    places = {("images", registry_of(image["name"])) for image in lost}
    return left, partial(complete_ledger(left), places)


def partial(coverage: Rows, listings: Collection[tuple[str, str | None]]) -> Rows:
    """Return the ledger with some listings that are not whole."""
    return [
        row | {"status": "partial"} if (row["listing"], row["parent_id"]) in listings else row
        for row in coverage
    ]


def with_status(coverage: Rows, status: str, rows: int, *listings: tuple[str, str]) -> Rows:
    """Return the ledger with some listings' status and number of rows replaced."""
    replaced = {"status": status, "rows": rows}
    return [
        row | replaced if (row["listing"], row["parent_id"]) in listings else row
        for row in coverage
    ]


def check_against(snapshot: Snapshot, world: World, coverage: Rows | None = None) -> None:
    """Hold a snapshot against the world, row for row, and against what its ledger should say.

    Without `coverage`, all of the world is expected to be listed completely. A row of it without
    `rows` leaves open how many were kept.
    """
    expected = complete_ledger(world) if coverage is None else coverage
    open_ended = {(r["listing"], r["parent_id"]) for r in expected if "rows" not in r}
    columns = ("listing", "parent_id", "status", "rows")
    found = [{name: row[name] for name in columns} for row in snapshot.tables["coverage"]]
    for row in found:
        if (row["listing"], row["parent_id"]) in open_ended:
            del row["rows"]
    difference = differences(expected, found, KEYS["coverage"])
    assert not difference, f"coverage: {difference}"
    for row in snapshot.tables["coverage"]:
        _check_ledger_row(row)
    check_tables(snapshot, truth(world, expected))


def _check_ledger_row(row: Row) -> None:
    """Check what must hold of a row of the ledger, whatever was listed."""
    assert row["pages"] >= 0, row
    assert row["calls"] >= row["retries"] >= 0, row
    if row["pages"]:
        assert row["started_at"] <= row["finished_at"], row
    if row["status"] == "complete":
        assert (row["http_status"], row["error_code"]) == (None, None), row
    elif row["status"] != "skipped":
        assert row["message"], row
