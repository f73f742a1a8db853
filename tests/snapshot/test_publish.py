"""Publishing: whole at every instant, and finished after any kill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.errors import IncompleteError, IntegrityError, OutputError, SettingsError
from exporter.snapshots.latest import point_latest
from exporter.snapshots.manifest import Status
from exporter.snapshots.publish import check_free, planned, publish
from exporter.snapshots.retention import remove
from exporter.staging.layout import Format
from exporter.storage.opening import open_destination
from tests.snapshot.world import (
    START,
    UNMEASURED,
    assert_intact,
    assert_truthful,
    data_files,
    draft,
    files_named_by,
    snapshot_of,
    stage,
)

KILLER = """
import os, shutil, signal, sys
from datetime import datetime
from pathlib import Path
from exporter.storage.opening import open_destination
from exporter.staging.layout import StagedFile
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.publish import publish

base = Path(sys.argv[1])
manifest = Manifest.parse((base / "draft.json").read_bytes())

def run(world, limit):
    staging = world / "staging"
    staged = [
        StagedFile(table, format_, staging / path, rows)
        for table, format_, path, rows in eval((base / "staged").read_text())
    ]
    done = 0
    def step(name):
        nonlocal done
        done += 1
        if done == limit:
            os.kill(os.getpid(), signal.SIGKILL)
    publish(open_destination(str(world / "out")), manifest, staged, staging=staging,
            replace=True, on_step=step)

limit = 1
while True:
    world = base / f"killed-{limit:03d}"
    shutil.copytree(base / "template", world, copy_function=os.link)
    child = os.fork()
    if not child:
        run(world, limit)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    limit += 1
"""


def _publish(
    root: Path,
    snapshot_id: str,
    *,
    mark: str = "a",
    days: int = 0,
    status: Status = "complete",
    replace: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> None:
    staging = root / "staging" / f"{snapshot_id}-{mark}"
    staged = stage(staging, mark=mark)
    publish(
        open_destination(str(root / "out")),
        draft(snapshot_id, status=status, started_at=START + timedelta(days=days)),
        staged,
        staging=staging,
        replace=replace,
        on_step=on_step,
    )


def test_a_published_snapshot_is_laid_out_as_the_data_model_says(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    out = tmp_path / "out"
    assert assert_truthful(out) == ["first"]
    assert (out / "parquet/images/snapshot_id=first/part-00000.parquet").is_file()
    assert (out / "ndjson/coverage/snapshot_id=first/part-00000.ndjson.gz").is_file()
    manifest = snapshot_of(out)
    assert manifest == snapshot_of(out, "first")
    assert list(manifest)[:4] == ["format_version", "generator", "snapshot_id", "status"]
    assert manifest["tables"]["images"]["rows"] == 5
    assert manifest["tables"]["images"]["schema"][0] == {
        "name": "image_id",
        "type": "string",
        "description": "The image's id",
    }
    assert manifest["started_at"] == "2026-11-23T02:00:00Z"
    assert {file["path"] for file in files_named_by(json.dumps(manifest).encode())} == data_files(
        out
    )


def test_sha256sum_accepts_the_sum_beside_the_manifest(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    subprocess.run(
        ["sha256sum", "--check", "--strict", "first.json.sha256"],
        cwd=tmp_path / "out/manifests",
        check=True,
        capture_output=True,
    )


def test_a_hive_style_reader_finds_the_rows_of_each_snapshot(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    _publish(tmp_path, "second", mark="b", days=1)
    layers = tmp_path / "out/parquet/layers/*/*.parquet"
    counts = (
        duckdb.connect()
        .execute(
            f"SELECT snapshot_id, count(*) FROM read_parquet('{layers}', hive_partitioning = true) "
            "GROUP BY ALL ORDER BY ALL"
        )
        .fetchall()
    )
    assert counts == [("first", 10), ("second", 10)]


def test_an_id_that_exists_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    before = snapshot_of(tmp_path / "out")
    with pytest.raises(SettingsError, match=r"first already exists .* use replace=True"):
        _publish(tmp_path, "first", mark="b")
    with pytest.raises(SettingsError, match="already exists"):
        check_free(open_destination(str(tmp_path / "out")), "first", replace=False)
    assert snapshot_of(tmp_path / "out") == before
    assert assert_truthful(tmp_path / "out") == ["first"]


def test_a_replaced_snapshot_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    _publish(tmp_path, "first", mark="b", days=1, replace=True)
    _publish(tmp_path, "first", mark="c", days=2, replace=True)
    out = tmp_path / "out"
    assert assert_truthful(out) == ["first"]
    manifest = snapshot_of(out)
    assert {file["path"] for file in files_named_by(json.dumps(manifest).encode())} == data_files(
        out
    )
    rows = duckdb.connect().execute(
        f"SELECT DISTINCT image_id[:7] FROM read_parquet('{out}/parquet/images/*/*.parquet')"
    )
    assert rows.fetchall() == [("image-c",)]
    assert (out / "manifests/first.json.sha256").read_text().count("\n") == 1


def test_every_instant_of_a_replacement_shows_one_whole_snapshot(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    seen = []

    def look(_step: str) -> None:
        assert assert_truthful(tmp_path / "out") == ["first"]
        seen.append(snapshot_of(tmp_path / "out")["started_at"])

    _publish(tmp_path, "first", mark="b", days=1, replace=True, on_step=look)
    assert len(seen) > 50
    assert seen == sorted(seen)
    assert len(set(seen)) == 2


def test_a_reader_beside_many_replacements_never_finds_latest_lying(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    latest = tmp_path / "out/manifests/latest.json"
    over = threading.Event()
    lies: list[str] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not over.is_set():
            manifest = latest.read_bytes()
            try:
                assert_intact(tmp_path / "out", manifest)
                reads += 1
            except FileNotFoundError as error:
                # It was replaced while it was being read; then latest.json says so by now.
                if latest.read_bytes() == manifest:
                    lies.append(str(error))
            except AssertionError as error:
                lies.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for day in range(1, 6):
            _publish(tmp_path, "first", mark=f"m{day}", days=day, replace=True)
    finally:
        over.set()
        reader.join()
    assert not lies
    assert reads


def test_latest_is_the_complete_snapshot_that_was_published_last(tmp_path: Path) -> None:
    """A clock that ran ten years ahead once does not pin it."""
    _publish(tmp_path, "ahead", days=3650)
    assert snapshot_of(tmp_path / "out")["snapshot_id"] == "ahead"
    _publish(tmp_path, "newer", mark="b", days=1)
    _publish(tmp_path, "broken-off", mark="c", days=3, status="partial")
    assert assert_truthful(tmp_path / "out") == ["ahead", "broken-off", "newer"]
    assert snapshot_of(tmp_path / "out")["snapshot_id"] == "newer"
    point_latest(open_destination(str(tmp_path / "out")))
    assert snapshot_of(tmp_path / "out")["snapshot_id"] == "newer"


def test_without_a_complete_snapshot_there_is_no_latest(tmp_path: Path) -> None:
    _publish(tmp_path, "first", status="partial")
    assert not (tmp_path / "out/manifests/latest.json").exists()
    assert assert_truthful(tmp_path / "out") == ["first"]


def test_a_partial_snapshot_does_not_replace_a_complete_one(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    before = data_files(tmp_path / "out")
    with pytest.raises(IncompleteError, match="first is complete and the new result is partial"):
        _publish(tmp_path, "first", mark="b", days=1, status="partial", replace=True)
    assert data_files(tmp_path / "out") == before
    assert snapshot_of(tmp_path / "out")["snapshot_id"] == "first"
    assert assert_truthful(tmp_path / "out") == ["first"]


def test_a_complete_snapshot_replaces_a_partial_one(tmp_path: Path) -> None:
    _publish(tmp_path, "first", status="partial")
    _publish(tmp_path, "first", mark="b", days=1, replace=True)
    assert snapshot_of(tmp_path / "out")["status"] == "complete"
    assert assert_truthful(tmp_path / "out") == ["first"]


@pytest.mark.parametrize("existing", [True, False], ids=["replacing", "new"])
def test_a_publication_killed_after_any_step_is_truthful_and_can_be_finished(
    tmp_path: Path, *, existing: bool
) -> None:
    formats: tuple[Format, ...] = ("parquet",)
    staging = tmp_path / "template/staging"
    if existing:
        template = open_destination(str(tmp_path / "template/out"))
        publish(template, draft("first"), stage(staging, formats=formats), staging=staging)
        shutil.rmtree(staging)
    staged = stage(staging, mark="b", formats=formats)
    (tmp_path / "draft.json").write_bytes(
        draft("first", started_at=START + timedelta(1)).to_bytes()
    )
    (tmp_path / "staged").write_text(
        repr(
            [
                (one.table, one.format, str(one.path.relative_to(staging)), one.rows)
                for one in staged
            ]
        )
    )
    subprocess.run([sys.executable, "-c", KILLER, str(tmp_path)], check=True, env=UNMEASURED)
    worlds = sorted(tmp_path.glob("killed-*"))
    whole, killed = worlds.pop(), worlds
    assert len(killed) > len(staged)
    for world in killed:
        out = world / "out"
        assert assert_truthful(out) in ([["first"]] if existing else [[], ["first"]])
        was_planned = planned(world / "staging")
        assert was_planned is not None
        done = publish(open_destination(str(out)), draft("unused"), [], staging=world / "staging")
        assert done == was_planned
        assert assert_truthful(out) == ["first"]
        assert data_files(out) == data_files(whole / "out")
        assert snapshot_of(out) == snapshot_of(whole / "out")
        assert (out / "manifests/first.json.sha256").read_text().count("\n") == 1


def test_a_file_that_vanished_after_a_kill_is_noticed(tmp_path: Path) -> None:
    staging, moved = tmp_path / "staging", "parquet/clouds/snapshot_id=first/part-00000.parquet"

    def stop(step: str) -> None:
        if step.startswith("moved"):
            raise KeyboardInterrupt

    destination = open_destination(str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        publish(destination, draft("first"), stage(staging), staging=staging, on_step=stop)
    (tmp_path / "out" / moved).write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"gone or changed since: .* fresh=True"):
        publish(destination, draft("first"), [], staging=staging)
    assert not (tmp_path / "out/manifests").exists()


def test_leftovers_of_a_snapshot_that_never_existed_are_not_taken_for_its_rows(
    tmp_path: Path,
) -> None:
    stray = tmp_path / "out/parquet/images/snapshot_id=first/part-00007.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"left by a run that was killed")
    _publish(tmp_path, "first")
    assert not stray.exists()
    assert (stray.parent / "part-00000.parquet").exists()


def test_a_plan_does_not_replace_what_another_run_published_since(tmp_path: Path) -> None:
    staging = tmp_path / "staged"

    def stop(_step: str) -> None:
        raise KeyboardInterrupt

    destination = open_destination(str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        publish(destination, draft("first"), stage(staging), staging=staging, on_step=stop)
    _publish(tmp_path, "first", mark="b")
    with pytest.raises(SettingsError, match="not the one that was there when publishing began"):
        publish(destination, draft("first"), [], staging=staging, replace=True)
    assert assert_truthful(tmp_path / "out") == ["first"]


def test_a_plan_to_replace_what_is_gone_by_now_publishes_it_anew(tmp_path: Path) -> None:
    _publish(tmp_path, "first")
    staging = tmp_path / "staged"

    def stop(_step: str) -> None:
        raise KeyboardInterrupt

    destination = open_destination(str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        publish(
            destination,
            draft("first"),
            stage(staging, mark="b"),
            staging=staging,
            replace=True,
            on_step=stop,
        )
    remove(destination, ["first"])
    publish(destination, draft("first"), [], staging=staging)
    assert assert_truthful(tmp_path / "out") == ["first"]
    assert snapshot_of(tmp_path / "out")["snapshot_id"] == "first"


def test_a_broken_plan_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "publish.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"publish\.json is broken.*fresh=True"):
        publish(open_destination(str(tmp_path / "out")), draft("a"), [], staging=tmp_path)
    assert not (tmp_path / "out").exists()


def test_tables_that_are_not_whole_are_not_published(tmp_path: Path) -> None:
    staged = stage(tmp_path / "staging")
    destination = open_destination(str(tmp_path / "out"))
    for some in (staged[1:], [one for one in staged if one.table != "tags"], []):
        with pytest.raises(IntegrityError, match="not staged in every format"):
            publish(destination, draft("first"), some, staging=tmp_path / "staging")
    assert not (tmp_path / "out").exists()


def test_a_staged_file_that_is_gone_is_an_output_error(tmp_path: Path) -> None:
    staged = stage(tmp_path / "staging")
    staged[0].path.unlink()
    with pytest.raises(OutputError, match=f"Cannot read {staged[0].path}"):
        publish(
            open_destination(str(tmp_path / "out")),
            draft("first"),
            staged,
            staging=tmp_path / "staging",
        )
    assert not (tmp_path / "out").exists()
