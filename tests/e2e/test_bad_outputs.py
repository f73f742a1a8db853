"""Places that cannot be written: exit 5, one sentence that names the place, no call in vain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.emulator import Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import BOTH, Exporter
from tests.e2e.worlds import check_against, world_of

LARGE = Shape(repositories=6, images=600, layers=10, empty_share=0.0)


def test_an_output_that_is_a_file_is_refused_before_any_call(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    exporter.output.write_text("here already")
    run = exporter.run()
    assert run.code == 5, run.stderr
    assert str(exporter.output) in run.said
    assert "Traceback" not in run.stderr
    assert len(cloud.calls) == 0
    assert exporter.output.read_text() == "here already"


def test_an_output_below_a_file_is_refused_before_any_call(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    (exporter.folder / "file").write_text("")
    place = exporter.folder / "file" / "snapshots"
    run = exporter.run("--output", str(place))
    assert run.code == 5, run.stderr
    assert str(place.parent) in run.said
    assert len(cloud.calls) == 0


@pytest.mark.parametrize("bytes_per_file", [10_000, 100_000])
def test_a_disk_that_is_full_in_the_middle_loses_nothing_that_was_there(
    bytes_per_file: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SMALL)
    exporter = exporter_for(cloud)
    assert exporter.export(BOTH, snapshot_id="before").id == "before"
    large = serve_cloud(LARGE)
    crowded = exporter.for_cloud(large)
    run = crowded.run_with_small_disk(bytes_per_file, "--snapshot-id", "after", "--new-scope")
    assert run.code == 5, run.stderr
    assert str(run.output) in run.said
    assert "Traceback" not in run.stderr
    assert run.published == ["before"]
    assert run.latest == "before"
    check_against(run.snapshot(), world_of(cloud.estate))
    crowded.export(snapshot_id="after", new_scope=True)
    assert crowded.read().latest == "after"


def test_an_id_that_is_taken_is_refused_and_replaced_only_when_told(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    first = exporter.export(BOTH, snapshot_id="night")
    cloud.calls.clear()
    refused = exporter.run("--snapshot-id", "night")
    assert refused.code == 2, refused.stderr
    assert "night" in refused.said
    assert "--replace" in refused.said
    assert len(cloud.calls) == 0
    assert refused.snapshot().manifest == first.manifest
    registry = next(cloud.estate.registries())["id"]
    replaced = exporter.run(
        "--snapshot-id", "night", "--replace", "--new-scope", "--registry", registry
    )
    assert replaced.code == 0, replaced.stderr
    assert {row["registry_id"] for row in replaced.snapshot().tables["registries"]} == {registry}
