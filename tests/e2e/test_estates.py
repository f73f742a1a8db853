"""Whole estates, of several seeds and shapes and with every quirk: each table equals the truth."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from exporter.emulator import Behaviour, Estate, Quirks, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import BOTH, Exporter
from tests.e2e.worlds import check_against, world_of
from tests.oracle.schema import COLUMNS
from tests.oracle.snapshots import read_snapshot

ODD = Shape(
    clouds=3, folders=7, registries=9, repositories=45, images=240, layers=4, quirks=Quirks.all()
)
ESTATES = {
    "small": SMALL,
    "every quirk": ODD,
    "every quirk, another seed": Shape(
        seed=77,
        clouds=2,
        folders=4,
        registries=8,
        repositories=30,
        images=200,
        layers=4,
        registry_skew=0.2,
        untagged_share=0.8,
        index_share=0.2,
        repeat_share=0.5,
        size_of="each-layer-once-and-config",
        empty_share=0.3,
        quirks=Quirks.all(),
    ),
    "few base layers in many repositories": Shape(
        seed=5,
        folders=2,
        registries=3,
        repositories=40,
        images=200,
        base_stacks=2,
        layers=8,
        size_of="layers-and-config",
    ),
    "registries without repositories": Shape(clouds=1, folders=2, registries=3, repositories=0),
    "clouds without folders": Shape(clouds=2, folders=0, registries=0, repositories=0),
    "no clouds": Shape(clouds=0, folders=0, registries=0, repositories=0),
}


@pytest.mark.parametrize("shape", ESTATES.values(), ids=ESTATES)
def test_every_table_equals_the_truth_in_both_formats(
    shape: Shape, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(shape)
    exporter = exporter_for(cloud)
    # Nobody but a person believes an estate that has no images.
    snapshot = exporter.export(BOTH, accept_shrink=shape.repositories == 0)
    check_against(snapshot, world_of(cloud.estate))
    assert snapshot.manifest["status"] == "complete"
    assert snapshot.manifest["requests"]["calls"] >= len(cloud.calls)
    assert exporter.read().latest == snapshot.id


def test_the_command_publishes_every_quirk_as_it_is_and_verifies_it(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(ODD)
    exporter = exporter_for(cloud)
    run = exporter.run("--snapshot-id", "night")
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    verified = exporter.command("verify", "night", "--output", str(run.output))
    assert verified.code == 0, verified.stderr


@pytest.mark.parametrize(
    ("behaviour", "page_size"),
    [
        (Behaviour(gzip=True), 1000),
        (Behaviour(pretty=True, byte_order_mark=True), 7),
        (Behaviour(gzip=True, pretty=True, collation="words"), 3),
    ],
    ids=["compressed", "pretty-printed behind a byte order mark", "words in a language's order"],
)
def test_however_the_answers_look_the_tables_are_the_same(
    behaviour: Behaviour,
    page_size: int,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(ODD, behaviour)
    snapshot = exporter_for(cloud).export({**BOTH, "limits": {"page_size": page_size}})
    check_against(snapshot, world_of(cloud.estate))


def test_every_column_of_every_file_says_what_it_means(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    exporter.export()
    files = list(exporter.output.glob("parquet/*/*/part-*.parquet"))
    assert {path.parent.parent.name for path in files} == set(COLUMNS)
    for path in files:
        for field in pq.read_schema(path):
            assert field.metadata[b"description"], f"{path}: {field.name}"


@pytest.mark.parametrize("format_", ["parquet", "ndjson"])
def test_one_format_alone_holds_everything_and_is_verified(
    format_: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(ODD)
    exporter = exporter_for(cloud)
    run = exporter.run("--format", format_)
    assert run.code == 0, run.stderr
    check_against(run.snapshot((format_,)), world_of(cloud.estate))
    verified = exporter.command("verify", "--output", str(run.output))
    assert verified.code == 0, verified.stdout


def test_two_runs_leave_two_snapshots_with_the_same_rows(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    for name in ("monday", "tuesday"):
        exporter.export(BOTH, snapshot_id=name)
        assert exporter.read().latest == name
    assert exporter.read().published == ["monday", "tuesday"]
    for name in ("monday", "tuesday"):
        check_against(read_snapshot(exporter.output, name), world_of(cloud.estate))


class Nameless(Estate):
    """An estate of which every tenth image does not name its repository."""

    def image_text(self, number: int) -> bytes:
        image = json.loads(super().image_text(number))
        if number % 10 == 0:
            del image["name"]
        return json.dumps(image).encode()


def test_images_that_name_no_repository_stay_however_they_are_listed(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(Nameless(Shape(folders=2, registries=12, repositories=24, images=60)))
    exporter = exporter_for(cloud)
    truth = {image["id"]: image.get("name") for image in cloud.estate.images()}
    for name in ("each by itself", "together"):
        cloud.calls.clear()
        tables = exporter.export(snapshot_id=name.replace(" ", "-")).tables
        assert {row["image_id"]: row["repository_name"] for row in tables["images"]} == truth
        assert len(tables["images"]) == len(truth)
        layers = [layer for image in cloud.estate.images() for layer in image.get("layers", [])]
        assert len(tables["layers"]) == len(layers)
        by_folder = [call for call in cloud.calls.of("images") if "folderId" in call.query]
        assert bool(by_folder) == (name == "together")
