"""What the reading commands say of OCI registries: indexes, and images that cannot be seen."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.answers.estates import covered, publish_estate
from tests.answers.reclaimed import Asked, expected
from tests.answers.test_reclaim import answer, policy_of
from tests.derive.estates import START, Blob, Image, World, digest
from tests.e2e.commands import Exporter

SOURCE = {"kind": "oci", "registries": ["h"], "repositories": [], "configs": None}
SCOPE = {"repositories": {"include": ["*"], "exclude": []}}
OLD, NEW = START - timedelta(days=10), START - timedelta(days=1)
DAY = timedelta(days=1)
APP, WEB = "h/app", "h/web"


def image(number: int, *tags: str, repository: str = APP, children: Sequence[int] = ()) -> Image:
    """Return an image of OCI: old, with a layer of its own and one of all; an index has none.

    An index that is even is new.
    """
    return Image(
        name(number, repository),
        repository,
        () if children else (Blob(digest(1000), 7), Blob(digest(2000 + number), 10**number)),
        tags=tags,
        digest=digest(number),
        created_at=NEW if children and number % 2 == 0 else OLD,
        kind="index" if children else "image",
        children=tuple((digest(one), True) for one in children),
    )


def name(number: int, repository: str = APP) -> str:
    return f"{repository}@{digest(number)}"


def world(*images: Image, visible: bool = True, **more: object) -> World:
    return World(
        images=images,
        registries=(("h", None, None),),
        repositories=tuple(sorted({one.repository_name for one in images})),
        visible=frozenset(("h",) if visible else ()),
        **more,  # type: ignore[arg-type]
    )


# 10 stays, with 1, with the index 12 in it, with 2 in that, and with 3, which 11 shares.
INDEXES = world(
    *(image(number) for number in range(1, 6)),
    image(6, "old-2"),
    image(10, "keep", children=(1, 12, 3)),
    image(11, "old", children=(3, 4)),
    replace(image(12, children=(2,)), created_at=OLD),
    image(13, children=(5,)),
)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        (Asked(older_than=5 * DAY), (4, 6, 11, 13, 5)),
        (Asked(tags=("old*",)), (6, 11)),
        (Asked(untagged=True), (5, 13)),
        (Asked(rules=({"untagged": True, "expire_period": "24h"},)), (5, 13)),
        # The index is the newer of two that are as old, so it stays, and what it needs.
        (Asked(rules=({"untagged": True, "retained_top": 1},)), ()),
        (Asked(tags=("keep",)), (10,)),
    ],
)
def test_what_an_index_needs_goes_only_with_it(
    tmp_path: Path, asked: Asked, numbers: tuple[int, ...]
) -> None:
    manifest = publish_estate(tmp_path, "night", INDEXES, source=SOURCE)
    found = answer(tmp_path, policy_of(asked))
    assert found == expected(covered(INDEXES), manifest.started_at, asked)
    assert set(found.images) == set(map(name, numbers))


@pytest.fixture
def command(tmp_path: Path) -> Exporter:
    exporter = Exporter(tmp_path)
    exporter.environment["REGISTRY_EXPORTER__OUTPUT__URL"] = str(exporter.output)
    return exporter


def publish(command: Exporter, *nights: World) -> None:
    for night, found in enumerate(nights):
        publish_estate(command.output, f"n{night}", found, night=night, source=SOURCE, scope=SCOPE)


def changes(command: Exporter, *names: str) -> set[tuple[str, str]]:
    run = command.command("diff", *names, "--format", "csv")
    return {(row["kind"], row["subject"]) for row in csv.DictReader(io.StringIO(run.stdout))}


def test_where_untagged_images_cannot_be_seen_every_command_says_so(command: Exporter) -> None:
    seen = world(image(1, "v1"), image(2, "v2"), visible=False)
    publish(command, seen, seen)
    run = command.command("reclaim", "--untagged")
    assert run.code == 0
    assert "1 registry (h) does not show images that no tag leads to" in run.stderr
    run = command.command("diff")
    assert (run.code, run.stdout.count("not known")) == (0, 4)
    assert "No difference." in run.stdout
    assert "cannot be compared" not in run.stdout
    assert command.command("report", "--to", "report.html").code == 0
    page = (command.folder / "report.html").read_text()
    assert "1 registry does not show images that no tag leads to" in page
    assert "not known" in page


def test_a_registry_with_a_repository_that_was_not_listed_is_left_out(command: Exporter) -> None:
    publish(command, world(image(1, "v1"), coverage=(("manifests", APP, "partial"),), visible=True))
    run = command.command("reclaim", "--older-than", "1d", "--snapshot", "n0", "--ids")
    assert (run.code, run.stdout) == (3, "")
    assert "leaves out 1 registry (h)" in run.stderr


@pytest.mark.parametrize("visible", [True, False])
def test_an_image_is_removed_only_where_images_without_a_tag_are_seen(
    command: Exporter, visible: bool
) -> None:
    gone = image(9, "x", repository=WEB)
    before = world(image(1, "moves"), image(2, "goes"), image(3, "v3"), gone, visible=visible)
    after = world(image(4, "moves"), image(3, "v3"), visible=visible)
    publish(command, before, after)
    always = {
        ("tag_moved", f"{APP}:moves"),
        ("tag_removed", f"{APP}:goes"),
        ("image_added", name(4)),
        # With its repository, whose list is complete without it.
        ("repository_removed", WEB),
        ("image_removed", name(9, WEB)),
        ("tag_removed", f"{WEB}:x"),
    }
    seen = {("image_removed", name(1)), ("image_removed", name(2))} if visible else set()
    assert changes(command, "n0", "n1") == always | seen


@pytest.mark.parametrize("listing", ["tags", "manifests", "repositories"])
def test_nothing_is_removed_where_a_listing_of_the_registry_failed(
    command: Exporter, listing: str
) -> None:
    parent = "h" if listing == "repositories" else WEB
    before = world(image(1, "v1"), image(9, "x", repository=WEB))
    torn = world(image(1, "v1"), coverage=((listing, parent, "failed"),))
    publish(command, before, torn)
    assert changes(command, "n0", "n1") == {("unknown", "h")}
    assert command.command("diff", "n0", "n1").code == 3


def test_history_goes_by_the_listings_of_the_repository_alone(command: Exporter) -> None:
    whole = world(image(1, "v1"), image(9, "x", repository=WEB))
    other_failed = replace(whole, coverage=(("tags", WEB, "failed"),))
    moved = world(image(2, "v1"), image(9, "x", repository=WEB))
    own_failed = world(image(9, "x", repository=WEB), coverage=(("tags", APP, "failed"),))
    none_left = world(image(9, "x", repository=WEB))
    publish(command, whole, other_failed, moved, own_failed, moved, none_left)
    run = command.command("history", f"{APP}:v1", "--format", "csv")
    rows = [
        (row["image_id"], row["first_snapshot_id"], row["last_snapshot_id"], row["is_current"])
        for row in csv.DictReader(io.StringIO(run.stdout))
    ]
    assert rows == [(name(1), "n0", "n1", "false"), (name(2), "n2", "n4", "false")]


def test_the_users_of_an_index_are_those_of_its_images_layers(command: Exporter) -> None:
    publish(command, INDEXES)
    run = command.command(
        *("query", "--name", "who-uses", "--param", f"image={APP}:old", "--format", "csv")
    )
    rows = [
        (row["layer"], row["image_count"], row["tagged_image_count"])
        for row in csv.DictReader(io.StringIO(run.stdout))
    ]
    # Of the six images, no tag leads to the fifth.
    assert rows == [(digest(1000), "6", "5"), (digest(2003), "1", "1"), (digest(2004), "1", "1")]


def test_another_list_of_registries_can_be_compared_as_far_as_both_have_them(
    command: Exporter,
) -> None:
    publish(command, world(image(1, "v1"), image(2, "goes")))
    more = {**SOURCE, "registries": ["h", "other:5000"], "repositories": ["other:5000/app"]}
    after = world(image(1, "v1"))
    two = replace(
        after,
        images=(*after.images, image(7, "v1", repository="other:5000/app")),
        registries=(*after.registries, ("other:5000", None, None)),
        repositories=(*after.repositories, "other:5000/app"),
        visible=frozenset({"h", "other:5000"}),
    )
    publish_estate(command.output, "n1", two, night=1, source=more, scope=SCOPE)
    assert changes(command, "n0", "n1") == {
        ("tag_removed", f"{APP}:goes"),
        ("image_removed", name(2)),
        ("unknown", "other:5000"),
    }
    growth = command.command("diff", "n0", "n1", "--rows", "growth", "--format", "csv").stdout
    by_scope = {row["scope"]: row for row in csv.DictReader(io.StringIO(growth))}
    assert by_scope["registry"]["image_count_delta"] == "-1"
    assert by_scope["total"]["image_count_delta"] == ""
    history = command.command("history", f"{APP}:v1", "--format", "csv", "--snapshot", "n1").stdout
    (row,) = csv.DictReader(io.StringIO(history))
    assert (row["first_snapshot_id"], row["last_snapshot_id"]) == ("n0", "n1")
    part = {**more, "repositories": ["h/app", "other:5000/app"]}
    publish_estate(command.output, "n2", two, night=2, source=part, scope=SCOPE)
    refused = command.command("diff", "n1", "n2")
    assert refused.code == 2
    assert "h was h (all repositories) and is h (app) in oci.registries" in refused.stderr
