"""When a result may count: not when it is implausibly small, nor of another scope, nor partial."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.emulator import Faults, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.worlds import busiest_registry, folder_of
from tests.oracle.snapshots import read_snapshot

ExporterFor = Callable[[Cloud], Exporter]

IMPLAUSIBLE = 6
KEEP_ONE = {"output": {"keep": {"last": 1}}}


def hide(cloud: Cloud, *ids: str) -> None:
    """Let the token see nothing of these scopes, as after a role is lost."""
    cloud.faults = Faults(hidden=frozenset(ids))


def hide_all(cloud: Cloud) -> None:
    hide(cloud, *(str(one["id"]) for one in cloud.estate.clouds()))


def calls(cloud: Cloud) -> int:
    return len(cloud.calls)


def latest_images(output: Path) -> int:
    manifest = json.loads((output / "manifests/latest.json").read_bytes())
    return int(manifest["totals"]["image_count"])


@pytest.fixture(scope="module")
def withheld_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Exporter]]:
    """Return a cloud, and an exporter beside whose output is a copy, for `withheld`."""
    with Cloud() as cloud:
        exporter = Exporter(tmp_path_factory.mktemp("withheld"), cloud)
        hide_all(cloud)
        assert exporter.run("--snapshot-id", "monday").code == IMPLAUSIBLE
        shutil.copytree(exporter.output, copy_of(exporter.output))
        yield cloud, exporter


def copy_of(output: Path) -> Path:
    return output.with_name("copy")


@pytest.fixture
def withheld(withheld_once: tuple[Cloud, Exporter]) -> tuple[Cloud, Exporter]:
    """Return a cloud that shows nothing, and an exporter that has withheld its result, monday."""
    cloud, exporter = withheld_once
    hide_all(cloud)
    shutil.rmtree(exporter.output)
    shutil.copytree(copy_of(exporter.output), exporter.output)
    return cloud, exporter


def test_a_token_that_sees_nothing_takes_no_good_snapshot_away(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    assert exporter.run("--snapshot-id", "good", sections=KEEP_ONE).code == 0
    hide_all(cloud)
    night = exporter.run("--snapshot-id", "empty", sections=KEEP_ONE)
    assert night.code == IMPLAUSIBLE, night.stderr
    assert "Snapshot empty was not published: it has 0 images" in night.stderr
    assert f"the newest complete one, good, has {SMALL.images}" in night.stderr
    assert "--accept-shrink" in night.stderr
    assert (night.published, night.latest) == (["good"], "good")
    assert "empty was not published" in exporter.command("list", "-o", str(exporter.output)).stderr

    before = calls(cloud)
    accepted = exporter.run("--accept-shrink", sections=KEEP_ONE)
    assert accepted.code == 0, accepted.stderr
    assert calls(cloud) == before, "what is staged is published without a call"
    assert (accepted.published, accepted.latest) == (["empty"], "empty")
    assert read_snapshot(exporter.output, "empty").manifest["totals"]["image_count"] == 0
    assert not [path for path in (exporter.output / ".staging").iterdir() if path.is_dir()]


def test_a_plain_run_after_a_refusal_lists_again(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    hide_all(cloud)
    first = exporter.run()
    assert first.code == IMPLAUSIBLE
    assert "0 images, and there is no complete snapshot before it" in first.stderr
    assert first.published == []
    cloud.mend()
    assert exporter.run().code == 0
    assert latest_images(exporter.output) == SMALL.images
    assert not [path for path in (exporter.output / ".staging").iterdir() if path.is_dir()]


def test_what_was_withheld_never_replaces_a_later_snapshot_of_another_id(
    withheld: tuple[Cloud, Exporter],
) -> None:
    cloud, exporter = withheld
    cloud.mend()
    assert exporter.run("--snapshot-id", "tuesday").code == 0
    after = exporter.run("--accept-shrink")
    assert after.code == 0, after.stderr
    assert "monday" not in after.published
    assert latest_images(exporter.output) == SMALL.images


def test_what_was_withheld_is_published_under_its_own_id_alone(
    withheld: tuple[Cloud, Exporter],
) -> None:
    cloud, exporter = withheld
    before = calls(cloud)
    other = exporter.run("--accept-shrink", "--snapshot-id", "tuesday")
    assert other.code == 2, other.stderr
    assert "monday is the snapshot that was listed and not published" in other.stderr
    assert "leave --snapshot-id out, or use --fresh to list again as tuesday" in other.stderr
    own = exporter.run("--accept-shrink", "--snapshot-id", "monday")
    assert (own.code, own.published) == (0, ["monday"]), own.stderr
    assert calls(cloud) == before


def test_what_was_withheld_is_listed_again_under_another_id_where_that_is_asked_for(
    withheld: tuple[Cloud, Exporter],
) -> None:
    cloud, exporter = withheld
    cloud.mend()
    again = exporter.run("--accept-shrink", "--fresh", "--snapshot-id", "tuesday")
    assert (again.code, again.published) == (0, ["tuesday"]), again.stderr
    assert latest_images(exporter.output) == SMALL.images
    assert not [path for path in (exporter.output / ".staging").iterdir() if path.is_dir()]


def test_how_much_may_be_gone_is_a_setting(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    assert exporter.run().code == 0
    hide(cloud, busiest_registry(cloud.estate))
    strict = exporter.run(sections={"output": {"max_shrink": "1%"}})
    assert strict.code == IMPLAUSIBLE
    least = SMALL.images - SMALL.images // 100
    assert f"of which output.max_shrink (1%) wants {least} at least" in strict.stderr
    assert latest_images(exporter.output) == SMALL.images
    assert exporter.run(sections={"output": {"max_shrink": "99%"}}).code == 0
    assert 0 < latest_images(exporter.output) < SMALL.images
    hide_all(cloud)
    assert exporter.run(sections={"output": {"max_shrink": "100%"}}).code == IMPLAUSIBLE
    assert exporter.run(sections={"output": {"max_shrink": None}}).code == 0
    assert latest_images(exporter.output) == 0


def test_an_estate_that_is_empty_is_published_on_a_persons_word(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud(Shape(clouds=1, folders=1, registries=1, repositories=0, images=0))
    exporter = exporter_for(cloud)
    assert exporter.run("--accept-shrink").code == 0
    assert exporter.run().code == IMPLAUSIBLE


def test_an_output_is_of_one_scope_until_a_person_says_otherwise(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    assert exporter.run("--snapshot-id", "night", sections=KEEP_ONE).code == 0
    before = calls(cloud)
    folder = folder_of(cloud.estate, busiest_registry(cloud.estate))
    audit = exporter.run("--folder", folder, sections=KEEP_ONE)
    assert audit.code == 2
    assert f"scope.folders was not set and is [{folder}]" in audit.stderr
    assert "another output.url" in audit.stderr
    assert "--new-scope" in audit.stderr
    assert calls(cloud) == before, "it is refused before any call"

    scoped = exporter.run("--folder", folder, "--snapshot-id", "one", "--new-scope",
                          sections=KEEP_ONE)  # fmt: skip
    assert scoped.code == 0, scoped.stderr
    assert (scoped.published, scoped.latest) == (["night", "one"], "one")
    assert exporter.run(sections=KEEP_ONE).code == 2
    assert exporter.run("--folder", folder, "--snapshot-id", "two", sections=KEEP_ONE).code == 0
    listed = exporter.command("list", "-o", str(exporter.output))
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
    assert list(rows) == ["two", "night"], "keep counts the output's own alone"
    assert f"folder {folder}" in rows["two"]
    assert "everything" in rows["night"]
    assert "not the output's own scope" in rows["night"]
    content = json.loads(exporter.command("list", "-o", str(exporter.output), "--json").stdout)
    assert [one["scope"]["folders"] for one in content] == [[folder], []]
    assert [one["own_scope"] for one in content] == [True, False]


def test_partial_snapshots_of_a_folder_denied_for_good_are_bounded(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    sections = {"output": {"keep": {"last": 1, "partial": 2}}}
    assert exporter.run("--snapshot-id", "whole", sections=sections).code == 0
    cloud.faults = replace(cloud.faults, denied=frozenset({busiest_registry(cloud.estate)}))
    nights: list[Run] = []
    for night in ("a", "b", "c"):
        nights.append(exporter.run("--snapshot-id", night, sections=sections))
        assert nights[-1].code == 3, nights[-1].stderr
    assert (nights[-1].published, nights[-1].latest) == (["b", "c", "whole"], "whole")
    assert not list(exporter.output.rglob("snapshot_id=a"))


@pytest.mark.parametrize("output", ["link", "folder/link/inside"])
def test_an_output_that_is_a_broken_link_says_where_it_leads(
    output: str, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    place = exporter.folder / output
    link = place if place.name == "link" else place.parent
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("gone")
    run = exporter.run("--output", str(place))
    assert run.code == 5
    assert f"{link} is a link to gone, which is not there" in run.stderr
