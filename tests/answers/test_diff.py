"""`diff`: what changed between two snapshots, and what nobody can say."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr

from exporter import diff, errors, open_snapshot
from exporter.analyze.comparable import Sides, decide
from exporter.analyze.sight import Ended, Place, Sight
from exporter.emulator import Estate, Fault, Faults
from exporter.staging.layout import Format
from exporter.storage.access import Access, Key
from exporter.storage.opening import open_destination
from exporter.tables.answers import CHANGES, GROWTH, MEASURES
from tests.answers.crawls import FOLDERS, REGISTRIES, Night, nights
from tests.answers.estates import SOURCE, publish_estate
from tests.derive.estates import Blob, Image, World, digest
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter, Run
from tests.s3 import S3

Row = dict[str, Any]
NDJSON: tuple[Format, ...] = ("ndjson",)
ListingKey = tuple[str, str]


# What may be said of a registry.

HOME = Place("r", "f", "c", "o")
WHOLE = {
    ("clouds", "*"): Ended("complete"),
    ("folders", "c"): Ended("complete"),
    ("registries", "f"): Ended("complete"),
}
OWN = {("repositories", "r"): Ended("complete"), ("images", "r"): Ended("complete")}
HAS = Sight({}, WHOLE | OWN, {"r": HOME})


def _without(key: ListingKey, status: str | None) -> dict[ListingKey, Ended]:
    """Return the whole listings with one that ended otherwise, or was not made."""
    rest = {one: ended for one, ended in WHOLE.items() if one != key}
    return rest if status is None else rest | {key: Ended(status, "why")}


@pytest.mark.parametrize(
    ("scope", "listings", "reason"),
    [
        ({}, WHOLE, ""),
        ({}, _without(("registries", "f"), None), ""),
        ({}, {("clouds", "*"): Ended("complete")}, ""),
        ({"registries": ["r"]}, WHOLE, ""),
        ({"folders": ["f"]}, {("registries", "f"): Ended("complete")}, ""),
        ({"organization_id": "o"}, WHOLE, ""),
        ({}, _without(("registries", "f"), "denied"), "registries of folder f was denied (why)"),
        ({}, _without(("registries", "f"), "partial"), "registries of folder f is partial"),
        ({}, _without(("registries", "f"), "vanished"), "ended because the folder vanished"),
        ({}, _without(("registries", "f"), "skipped"), "registries of folder f was skipped"),
        ({}, {("clouds", "*"): Ended("complete"), ("folders", "c"): Ended("failed")}, "cloud c"),
        ({}, {("clouds", "*"): Ended("partial")}, "listing of clouds is partial"),
        ({}, {}, "the clouds were not listed"),
        ({}, WHOLE | {("images", "r"): Ended("vanished")}, "because the registry vanished"),
        ({}, WHOLE | {("images", "r"): Ended("failed")}, "images of registry r failed"),
        ({"registries": ["other"]}, WHOLE, "scope.registries does not name it"),
        ({"folders": ["other"]}, WHOLE, "scope.folders does not name its folder f"),
        ({"clouds": ["other"]}, WHOLE, "scope.clouds does not name its cloud c"),
        ({"organization_id": "other"}, WHOLE, "scope.organization_id is other"),
        ({"exclude": {"registries": ["r"]}}, WHOLE, "scope.exclude.registries leaves it out"),
        ({"exclude": {"folders": ["f"]}}, WHOLE, "scope.exclude.folders leaves its folder f out"),
        ({"exclude": {"clouds": ["c"]}}, WHOLE, "scope.exclude.clouds leaves its cloud c out"),
    ],
)
def test_a_registry_is_gone_only_where_it_was_looked_for(
    scope: dict[str, Any], listings: dict[ListingKey, Ended], reason: str
) -> None:
    lacks = Sight(scope, listings, {})
    gone = decide("r", Sides("A", "B", HAS, lacks))
    new = decide("r", Sides("A", "B", lacks, HAS))
    if reason:
        assert (gone.change, new.change) == (None, None)
        assert not gone.may_lose_images
        assert not new.may_gain_images
        assert reason in gone.after_reason
        assert reason in new.before_reason
    else:
        assert (gone.change, new.change) == ("registry_removed", "registry_added")
        assert gone.may_lose_images
        assert new.may_gain_images
        assert not gone.after_reason + new.before_reason


def test_a_registry_with_an_unknown_folder_is_unknown_where_it_is_not_asked_for_by_name() -> None:
    has = Sight({"registries": ["r"]}, OWN, {"r": Place("r")})
    verdict = decide("r", Sides("A", "B", has, Sight({}, WHOLE, {})))
    assert verdict.change is None
    assert "its folder is not known" in verdict.after_reason


@pytest.mark.parametrize("status", ["denied", "failed", "partial", "vanished"])
def test_what_a_listing_that_is_not_complete_lacks_is_neither_gone_nor_new(status: str) -> None:
    torn = Sight({}, WHOLE | OWN | {("images", "r"): Ended(status)}, {"r": HOME})
    gone, new = decide("r", Sides("A", "B", HAS, torn)), decide("r", Sides("A", "B", torn, HAS))
    assert (gone.may_lose_images, gone.may_gain_images) == (False, True)
    assert (new.may_lose_images, new.may_gain_images) == (True, False)
    assert not gone.may_lose_repositories
    assert "images of registry r" in gone.after_reason
    assert "images of registry r" in new.before_reason


# Two nights of any cloud.


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(pair=nights())
def test_any_two_nights_are_told_apart_as_plain_python_tells_them(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[Night, Night]
) -> None:
    output = tmp_path_factory.mktemp("nights")
    worlds = [night.world() for night in pair]
    for number, (night, world) in enumerate(zip(pair, worlds, strict=True)):
        publish_estate(output, f"n{number}", world, night=number, scope=night.scope)
    with (
        open_snapshot(output, "n0") as before,
        open_snapshot(output, "n1") as after,
        diff(before, after) as found,
    ):
        rows = found.rows("changes").read_all().to_pylist()
        growth = found.rows("growth").read_all().to_pylist()
        assert found.counts == dict.fromkeys(found.counts, 0) | Counter(row["kind"] for row in rows)
        tables = [
            one.read("size_totals", ["scope", "scope_id", *MEASURES, "complete"]).to_pylist()
            for one in (before, after)
        ]
    subjects = [(row["kind"], row["subject"]) for row in rows]
    assert subjects == sorted(set(subjects))
    for kind in ("registry", "repository", "image", "tag"):
        _check_kind(kind, rows, pair, worlds)
    _check_changed(rows, worlds)
    _check_moved(rows, worlds)
    _check_unknown(rows, pair, worlds)
    _check_growth(growth, *tables)


def _check_kind(kind: str, rows: list[Row], pair: tuple[Night, Night], worlds: list[World]) -> None:
    """Check that what is missing is told, or its registry unknown, and that nothing told is false.

    What is called removed is not there in truth afterwards, whatever the crawl saw of it.
    """
    unknown = {row["subject"] for row in rows if row["kind"] == "unknown"}
    listed = [_subjects(kind, world) for world in worlds]
    there = [_subjects(kind, Night(night.truth, {}).world()) for night in pair]
    for verb, here, missing in (("removed", 0, 1), ("added", 1, 0)):
        told = {row["subject"] for row in rows if row["kind"] == f"{kind}_{verb}"}
        lacking = listed[here] - listed[missing]
        assert told <= lacking
        assert not told & there[missing]
        assert {
            subject.partition("/")[0].partition("-")[0] for subject in lacking - told
        } <= unknown


def _subjects(kind: str, world: World) -> set[str]:
    match kind:
        case "registry":
            return {one for one, _, _ in world.registries}
        case "repository":
            return {*world.repositories, *(image.repository_name for image in world.images)}
        case "image":
            return {image.image_id for image in world.images}
    return set(_tags(world))


def _tags(world: World) -> dict[str, set[str]]:
    tags: dict[str, set[str]] = {}
    for image in world.images:
        for tag in image.tags:
            tags.setdefault(f"{image.repository_name}:{tag}", set()).add(image.image_id)
    return tags


def _check_changed(rows: list[Row], worlds: list[World]) -> None:
    sizes = [
        {image.image_id: sum(layer.size for layer in image.layers) for image in world.images}
        for world in worlds
    ]
    both = sizes[0].keys() & sizes[1].keys()
    changed = {one: sizes[1][one] - sizes[0][one] for one in both if sizes[0][one] != sizes[1][one]}
    deltas = {row["subject"]: row["size_delta"] for row in rows if row["kind"] == "image_changed"}
    assert deltas == changed
    for row in rows:
        if row["kind"] == "image_added":
            assert (row["image_id"], row["before_image_id"]) == (row["subject"], None)
            assert row["size_delta"] == sizes[1][row["subject"]]
        if row["kind"] == "image_removed":
            assert row["before_image_id"] == row["subject"]
            assert row["size_delta"] == -sizes[0][row["subject"]]


def _check_moved(rows: list[Row], worlds: list[World]) -> None:
    tags = [_tags(world) for world in worlds]
    moved = {one for one in tags[0].keys() & tags[1].keys() if tags[0][one] != tags[1][one]}
    told = {row["subject"]: row for row in rows if row["kind"] == "tag_moved"}
    assert told.keys() == moved
    for subject, row in told.items():
        assert row["before_image_id"] in tags[0][subject]
        assert row["image_id"] in tags[1][subject]
        assert row["before_image_id"] != row["image_id"]


def _check_unknown(rows: list[Row], pair: tuple[Night, Night], worlds: list[World]) -> None:
    """Check that nothing is unknown that both crawls listed whole, and that reasons are given."""
    for row in rows:
        if row["kind"] == "unknown":
            assert row["detail"].endswith(".")
            assert row["registry_id"] == row["subject"]
    if pair[0].scope != pair[1].scope:
        return
    statuses = [{row[:2]: row[2] for row in world.coverage} for world in worlds]
    for row in rows:
        if row["kind"] != "unknown":
            continue
        above = REGISTRIES[row["subject"]]
        keys = [
            ("repositories", row["subject"]),
            ("images", row["subject"]),
            ("registries", above),
            ("folders", FOLDERS[above]),
            ("clouds", "*"),
        ]
        ended = {one.get(key, "complete") for one in statuses for key in keys}
        assert ended - {"complete", "skipped"}, row


def _check_growth(growth: list[Row], before: list[Row], after: list[Row]) -> None:
    keyed = [{(row["scope"], row["scope_id"]): row for row in rows} for rows in (before, after)]
    assert {(row["scope"], row["scope_id"]) for row in growth} == keyed[0].keys() & keyed[1].keys()
    for row in growth:
        was, now = (one[row["scope"], row["scope_id"]] for one in keyed)
        whole = was["complete"] and now["complete"]
        for measure in MEASURES:
            expected = (was[measure], now[measure], now[measure] - was[measure])
            names = (f"before_{measure}", f"after_{measure}", f"{measure}_delta")
            assert tuple(row[name] for name in names) == (expected if whole else (None,) * 3)


# Odd names and odd registries.


def test_names_that_meet_in_one_subject_are_told_apart(tmp_path: Path) -> None:
    images = (
        Image("i1", "r1/a:b", (Blob(digest(1), 1),), tags=("c",)),
        Image("i2", "r1/a", (Blob(digest(1), 1),), tags=("b:c",)),
        Image("i3", 'r1/"', (Blob(digest(1), 1),), tags=("c",)),
    )
    world = World(images=images, registries=(("r1", None, None),))
    publish_estate(tmp_path, "one", replace(world, images=()))
    publish_estate(tmp_path, "two", world, night=1)
    told = _changes(tmp_path)
    subjects = [row["subject"] for row in told if row["kind"] == "tag_added"]
    assert sorted(subjects) == ['"r1/a:b":c', 'r1/":c', "r1/a:b:c"]


def test_images_of_no_listed_registry_are_compared_only_where_all_was_listed(
    tmp_path: Path,
) -> None:
    stray = Image("i1", "elsewhere/app", (Blob(digest(1), 5),))
    nameless = Image("i2", "nameless", (Blob(digest(1), 5),))
    world = World(images=(stray, nameless), registries=(("r1", None, None),))
    none = replace(world, images=())
    torn = replace(none, coverage=(("images", "r1", "partial"),))
    publish_estate(tmp_path, "one", world)
    publish_estate(tmp_path, "two", none, night=1)
    publish_estate(tmp_path, "three", torn, night=2)
    gone = [row["subject"] for row in _changes(tmp_path) if row["kind"] == "image_removed"]
    assert gone == ["i1", "i2"]
    kinds = {row["kind"]: row for row in _changes(tmp_path, "one", "three")}
    assert kinds.keys() == {"unknown"}


def test_an_image_of_two_repositories_has_moved_and_is_neither_gone_nor_new(
    tmp_path: Path,
) -> None:
    image = Image("i1", "r1/old", (Blob(digest(1), 5),), tags=("v1",))
    world = World(images=(image,), registries=(("r1", None, None),), repositories=("r1/old",))
    publish_estate(tmp_path, "one", world)
    moved = replace(image, repository_name="r1/new")
    publish_estate(
        tmp_path, "two", replace(world, images=(moved,), repositories=("r1/new",)), night=1
    )
    told = {row["kind"]: row for row in _changes(tmp_path)}
    assert told.keys() == {
        "image_changed",
        "repository_added",
        "repository_removed",
        "tag_added",
        "tag_removed",
    }
    assert "repository_name was r1/old" in told["image_changed"]["detail"]


def _changes(output: Path, before: str = "previous", after: str = "latest") -> list[Row]:
    with (
        open_snapshot(output, before) as one,
        open_snapshot(output, after) as two,
        diff(one, two) as found,
    ):
        rows: list[Row] = found.rows("changes").read_all().to_pylist()
        return rows


def test_snapshots_of_two_sources_are_refused_with_both_named(tmp_path: Path) -> None:
    world = World(registries=(("r1", None, None),))
    publish_estate(tmp_path, "one", world)
    publish_estate(tmp_path, "two", world, source=SOURCE | {"domain": "other.example"})
    with (
        open_snapshot(tmp_path, "one") as one,
        open_snapshot(tmp_path, "two") as two,
        pytest.raises(errors.SettingsError, match=r"one and two are of different sources.*other"),
    ):
        diff(one, two)


def test_a_bucket_and_two_formats_make_no_difference(tmp_path: Path) -> None:
    before = World(
        images=(Image("i1", "r1/app", (Blob(digest(1), 5),), tags=("v1",)),),
        registries=(("r1", None, None),),
        repositories=("r1/app",),
    )
    after = replace(before, images=(Image("i2", "r1/app", (Blob(digest(2), 7),), tags=("v1",)),))
    publish_estate(tmp_path, "one", before)
    publish_estate(tmp_path, "two", after, night=1)
    expected = _changes(tmp_path)
    assert [row["kind"] for row in expected] == ["image_added", "image_removed", "tag_moved"]
    with S3() as service:
        key = Key(SecretStr("id"), SecretStr("secret"))
        access = Access(endpoint=service.url, path_style=True, key=key)
        bucket = open_destination("s3://bucket/inventory", access)
        publish_estate(bucket, "one", before)
        publish_estate(bucket, "two", after, night=1, formats=NDJSON)
        with (
            open_snapshot(bucket.url, "one", access=access) as one,
            open_snapshot(bucket.url, "two", access=access) as two,
            diff(one, two) as found,
        ):
            assert found.rows().read_all().to_pylist() == expected


# The command, on a real emulated cloud.


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """Export one cloud: as it was, changed, a folder denied, a registry vanished, narrower."""
    estate = Estate(SMALL)
    folder, registry = _crowded(estate)
    with Cloud(estate) as cloud:
        command = Exporter(tmp_path_factory.mktemp("diff"), cloud)
        command.export(snapshot_id="first")
        churn: dict[str, float] = {Fault.VANISH: 0.2, Fault.MOVE_TAG: 0.2}
        cloud.faults = Faults(rates=churn, churn_span=1)
        command.export(snapshot_id="second")
        cloud.faults = Faults(rates=churn, churn_span=1, denied=frozenset({folder}))
        command.export(snapshot_id="denied")
        asked = sum(registry in call.query.values() for call in cloud.calls)
        cloud.faults = Faults(rates=churn, churn_span=1, vanished={registry: asked})
        command.export(snapshot_id="vanished")
        cloud.faults = Faults(rates=churn, churn_span=1)
        narrow = {"scope": {"registries": [registry]}}
        command.export(narrow, snapshot_id="narrow", new_scope=True)
        yield command


def _crowded(estate: Estate) -> tuple[str, str]:
    """Return a folder with images, and the registry with the most."""
    most = max(estate.registries(), key=lambda one: len(estate.image_numbers(one["id"])))
    return most["folderId"], most["id"]


def _diff(exporter: Exporter, *arguments: str) -> Run:
    return exporter.command("diff", *arguments, "--output", str(exporter.output))


def _rows(exporter: Exporter, *arguments: str) -> list[Row]:
    run = _diff(exporter, *arguments, "--format", "json")
    assert run.code in {0, 3}, run.stderr
    rows: list[Row] = json.loads(run.stdout)
    return rows


def test_deleted_images_and_moved_tags_are_found(exporter: Exporter) -> None:
    images = [
        {row["image_id"]: row for row in _listed(exporter, name, "images")}
        for name in ("first", "second")
    ]
    rows = _rows(exporter, "first", "second")
    removed = {row["subject"] for row in rows if row["kind"] == "image_removed"}
    assert removed == images[0].keys() - images[1].keys() != set()
    assert not [row for row in rows if row["kind"] in {"unknown", "image_added"}]
    for row in rows:
        if row["kind"] == "tag_moved":
            assert row["tag"] in images[0][row["before_image_id"]]["tags"]
            assert row["tag"] in images[1][row["image_id"]]["tags"]
            assert row["detail"].startswith("The tag moved from image ")
    assert Counter(row["kind"] for row in rows)["tag_moved"]


def _listed(exporter: Exporter, name: str, table: str) -> list[Row]:
    with open_snapshot(exporter.output, name) as snapshot:
        rows: list[Row] = pq.read_table(snapshot.paths(table), partitioning=None).to_pylist()
        return rows


def test_a_denied_folder_removes_nothing(exporter: Exporter) -> None:
    folder, registry = _crowded(Estate(SMALL))
    run = _diff(exporter, "second", "denied", "--format", "csv")
    assert run.code == 3
    assert "Snapshot denied is partial" in run.said
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert {row["kind"] for row in rows} == {"unknown"}
    (told,) = (row for row in rows if row["subject"] == registry)
    assert f"the listing of registries of folder {folder} was denied" in told["detail"]
    assert {row["kind"] for row in _rows(exporter, "denied", "second")} == {"unknown"}


def test_a_vanished_registry_removes_nothing_until_a_listing_without_it_is_whole(
    exporter: Exporter,
) -> None:
    _, registry = _crowded(Estate(SMALL))
    rows = _rows(exporter, "second", "vanished")
    assert [(row["kind"], row["subject"]) for row in rows] == [("unknown", registry)]
    assert "vanished" in rows[0]["detail"]


def test_a_narrower_scope_removes_nothing(exporter: Exporter) -> None:
    _, registry = _crowded(Estate(SMALL))
    narrowed = _rows(exporter, "second", "narrow")
    widened = _rows(exporter, "narrow", "second")
    others = {one["id"] for one in Estate(SMALL).registries()} - {registry}
    for rows in (narrowed, widened):
        assert {(row["kind"], row["subject"]) for row in rows} == {
            ("unknown", one) for one in others
        }
        assert all("scope.registries does not name it" in row["detail"] for row in rows)


def test_a_person_reads_the_totals_first_and_what_nobody_knows_last(exporter: Exporter) -> None:
    run = _diff(exporter, "first", "second")
    assert run.code == 0
    lines = run.stdout.splitlines()
    assert lines[0].startswith("From first to second, ")
    titles = [line for line in lines if line and not line.startswith(" ")]
    order = ["images", "Shrank most, by stored size", "Changes", "For each of them"]
    places = [next(i for i, one in enumerate(titles) if one.startswith(word)) for word in order]
    assert places == sorted(places)
    torn = _diff(exporter, "second", "denied")
    assert torn.code == 3
    assert "The totals cannot be compared" in torn.stdout
    assert "cannot be compared, or not whole" in torn.stdout.split("No difference.")[1]


def test_rows_and_totals_go_where_they_are_asked_to(exporter: Exporter, tmp_path: Path) -> None:
    growth, totals = tmp_path / "growth.parquet", tmp_path / "totals.json"
    flags = ("--rows", "growth", "--to", str(growth), "--summary-json", str(totals))
    run = _diff(exporter, "first", "second", *flags)
    assert (run.code, run.stdout) == (0, "")
    table = pq.read_table(growth)
    assert table.schema.equals(GROWTH.schema)
    summary = json.loads(totals.read_text())
    (row,) = (one for one in table.to_pylist() if one["scope"] == "total")
    assert summary["totals"] == {name: row[name] for name in summary["totals"]}
    assert summary["changes"]["image_removed"] == -row["image_count_delta"]
    header = _diff(exporter, "first", "first", "--format", "csv").stdout.splitlines()
    assert header == [",".join(f'"{name}"' for name in CHANGES.schema.names)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("first1",), 1, "the nearest is first"),
        (("first", "second", "third"), 2, "unexpected extra argument"),
        (("first", "second", "--summary-json", "-", "--format", "csv"), 2, "both write to stdout"),
    ],
)
def test_bad_input_gets_one_sentence(
    exporter: Exporter, arguments: tuple[str, ...], code: int, said: str
) -> None:
    run = _diff(exporter, *arguments)
    assert (run.code, run.stdout) == (code, "")
    assert said in run.said
