"""Random estates in the real registry become the tables that were computed from what was pushed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from exporter import verify
from tests.derive import expected
from tests.derive.estates import by_key
from tests.e2e.waiting import staged_pages, until
from tests.oci.estate import Estate, digest_of
from tests.oci.exports import ROOT, command, export
from tests.oci.server import Registry, serving
from tests.oracle.snapshots import Snapshot, read_snapshot

TABLES = ("repositories", "images", "layers", "config_blobs", "image_references", "tags")


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows in a form and an order that can be compared, maps as sorted pairs."""
    return sorted(json.dumps(row, sort_keys=True, default=_as_read) for row in rows)


def _as_read(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assert_lists(snapshot: Snapshot, estate: Estate) -> None:
    """Hold every listed table, in every format, against the truth."""
    for rows in snapshot.rows.values():
        for table in TABLES:
            assert in_order(rows[table]) == in_order(estate.table(table)), table


def assert_follows(snapshot: Snapshot) -> None:
    """Hold what is derived against a calculation in plain Python from the listed rows."""
    tables = snapshot.tables
    totals = by_key(tables["size_totals"], "scope", "scope_id")
    assert totals == expected.size_totals(tables)
    assert by_key(tables["blobs"], "registry_id", "digest", "kind") == expected.blobs(tables)
    assert totals["total", "*"]["untagged_known"] is False
    assert totals["total", "*"]["complete"] is True
    reached = expected.reachable(tables)
    assert all(row["reachable"] == (row["image_id"] in reached) for row in tables["images"])
    gone = {row["child_image_id"] for row in tables["image_references"] if not row["present"]}
    found = [row for row in tables["findings"] if row["kind"] == "missing_child"]
    assert gone == {row["subject"] for row in found} != set()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def estate(registry: Registry) -> Estate:
    made = Estate(registry, seed=1)
    made.fill()
    made.break_an_index("solo")
    return made


def calls_of(snapshot: Snapshot) -> int:
    return int(snapshot.manifest["requests"]["calls"])


def test_cold_and_warm_exports_list_what_was_pushed(
    registry: Registry, estate: Estate, tmp_path: Path
) -> None:
    cold = export(tmp_path, {"registry": registry.host})
    assert cold.code == 0, cold.stderr
    snapshot = cold.snapshot()
    assert snapshot.manifest["status"] == "complete"
    assert_lists(snapshot, estate)
    assert_follows(snapshot)
    assert verify(str(cold.output)) == []
    shutil.rmtree(cold.output)

    estate.another("team0/app", "new", 77)
    warm = export(tmp_path, {"registry": registry.host}).snapshot()
    assert_lists(warm, estate)
    tagged = {row["image_id"] for row in warm.tables["tags"]}
    children = {row["child_image_id"] for row in warm.tables["image_references"]}
    # One call for each list, tag, and untagged child; one for the new config, and a second one for
    # the child that is not found.
    lists, tags = 1 + len(estate.repositories), len(warm.tables["tags"])
    assert calls_of(warm) == lists + tags + len(children - tagged) + 2

    # Nothing is read under a tag that never moves, and then nothing says that children are there.
    kept = {"registry": registry.host, "immutable_tags": ["*"]}
    frozen = export(tmp_path / "frozen", kept, oci={"cache": str(tmp_path / "cache")}).snapshot()
    assert calls_of(frozen) == lists + 2
    assert {row["present"] for row in frozen.tables["image_references"]} == {None, False}
    without = [{**row, "present": None} for row in warm.tables["image_references"]]
    unproven = [{**row, "present": None} for row in frozen.tables["image_references"]]
    assert in_order(unproven) == in_order(without)


def test_what_a_garbage_collector_took_is_missing_though_it_is_cached(tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as registry:
        estate = Estate(registry, seed=5, repositories=1)
        estate.fill(images=2)
        export(tmp_path, {"registry": registry.host})
        registry.collect_garbage()
        (repository,) = estate.repositories.values()
        tagged = set(repository.tags.values())
        repository.deleted = {digest for digest in repository.manifests if digest not in tagged}
        run = export(tmp_path, {"registry": registry.host}, flags=("--snapshot-id", "after"))
    assert run.code == 0, run.stderr
    after = read_snapshot(run.output, "after")
    assert_lists(after, estate)
    missing = [row for row in after.tables["image_references"] if not row["present"]]
    found = [row["subject"] for row in after.tables["findings"] if row["kind"] == "missing_child"]
    assert missing
    assert len(found) == len({row["child_image_id"] for row in missing})


def test_an_independent_client_sees_the_same(
    registry: Registry, estate: Estate, tmp_path: Path
) -> None:
    name = "team1/app"
    only = {"scope": {"repositories": {"include": [name]}}}
    snapshot = export(tmp_path, {"registry": registry.host}, settings=only).snapshot()
    place = f"docker://{registry.host}/{name}"

    def skopeo(*arguments: str) -> bytes:
        command = ["skopeo", *arguments, "--tls-verify=false"]
        return subprocess.run(command, check=True, capture_output=True, cwd=tmp_path).stdout

    tags = {row["tag"]: row["digest"] for row in snapshot.tables["tags"]}
    assert sorted(tags) == sorted(json.loads(skopeo("list-tags", place))["Tags"])
    for tag, digest in tags.items():
        raw = skopeo("inspect", "--raw", f"{place}:{tag}")
        assert digest == digest_of(raw), tag


def test_a_killed_export_resumes_and_asks_for_nothing_twice(
    registry: Registry, estate: Estate, tmp_path: Path
) -> None:
    target = {"registry": registry.host}
    slowly = {"limits": {"requests_per_second": 25, "concurrency": 4}}
    line, environment, output = command(tmp_path, target, settings=slowly)
    process = subprocess.Popen(line, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    until(lambda: staged_pages(output) >= 12 or process.poll() is not None, "pages are staged")
    process.kill()
    assert process.wait() == -signal.SIGKILL
    run = export(tmp_path, target, settings=slowly)
    assert run.code == 0, run.stderr
    snapshot = run.snapshot()
    assert_lists(snapshot, estate)
    assert any(event["event"] == "export_resumed" for event in run.events)
    whole = export(tmp_path / "whole", target).snapshot()
    # A batch that was not finished is done again, from the cache as far as it came.
    assert calls_of(snapshot) <= calls_of(whole) + 4 * 4
    for table in TABLES:
        assert in_order(snapshot.tables[table]) == in_order(whole.tables[table])
