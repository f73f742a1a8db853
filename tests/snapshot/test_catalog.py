"""The catalog: which snapshots there are, and whether `latest.json` is what it should be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.snapshots.catalog import catalog, snapshots
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Status
from exporter.snapshots.publish import publish
from exporter.snapshots.retention import remove
from exporter.storage.destination import Entry
from exporter.storage.local import Folder
from exporter.storage.opening import open_destination
from tests.snapshot.world import START, data_files, draft, stage


def _publish(root: Path, snapshot_id: str, day: int, status: Status = "complete") -> None:
    staging = root / "staging" / snapshot_id
    manifest = draft(snapshot_id, status=status, started_at=START + timedelta(day))
    staged = stage(staging, mark=snapshot_id, formats=("parquet",))
    publish(open_destination(str(root / "out")), manifest, staged, staging=staging)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for day, name in enumerate(("one", "two", "three")):
        _publish(tmp_path, name, day)
    return tmp_path / "out"


def test_the_catalog_lists_newest_first_and_survives_a_broken_manifest(
    tmp_path: Path, out: Path
) -> None:
    _publish(tmp_path, "four", 3, "partial")
    (out / "manifests/two.json").write_bytes(b"{")
    (out / "manifests/copy.json").write_bytes((out / "manifests/one.json").read_bytes())
    listed = snapshots(open_destination(str(out)))
    assert [(info.snapshot_id, info.status, info.is_latest) for info in listed] == [
        ("four", "partial", False),
        ("three", "complete", True),
        ("one", "complete", False),
        ("two", "broken", False),
        ("copy", "broken", False),
    ]
    assert listed[1].images == 5
    assert listed[1].stored_size == 2001
    assert listed[1].bytes == sum(
        (out / path).stat().st_size for path in data_files(out) if "snapshot_id=three/" in path
    )
    assert listed[3].reason.startswith("manifests/two.json is not JSON")
    assert listed[4].reason == "manifests/copy.json is the manifest of another snapshot, one."


def test_a_publication_killed_before_latest_is_told_and_the_next_run_mends_it(
    tmp_path: Path,
) -> None:
    class StoppedError(Exception):
        """Stands for a kill."""

    def stop(step: str) -> None:
        if step == "published":
            raise StoppedError

    destination = open_destination(str(tmp_path / "out"))
    for day, name, what in (
        (0, "one", "is missing"),
        (1, "two", "names one, which is not the newest complete one"),
    ):
        staging = tmp_path / name
        manifest = draft(name, started_at=START + timedelta(days=day))
        files = stage(staging)
        with pytest.raises(StoppedError):
            publish(destination, manifest, files, staging=staging, on_step=stop)
        found = catalog(destination)
        wanted = f"{what}; it should be a copy of manifests/{name}.json"
        assert (found.newest, found.latest_problem) == (name, wanted)
        publish(destination, manifest, files, staging=staging)
        mended = catalog(destination)
        assert (mended.named, mended.newest, mended.latest_problem) == (name, name, "")


def test_a_latest_without_a_complete_snapshot_is_told(tmp_path: Path, out: Path) -> None:
    remove(open_destination(str(out)), ["one", "two", "three"])
    _publish(tmp_path, "four", 3, "partial")
    assert catalog(open_destination(str(out))).latest_problem == ""
    (out / LATEST).write_bytes((out / "manifests/four.json").read_bytes())
    found = catalog(open_destination(str(out)))
    assert (found.named, found.newest) == ("four", None)
    assert found.latest_problem == (
        "names four, which is partial; no snapshot is complete, so it should not be there"
    )


def test_a_snapshot_published_while_the_catalog_is_read_is_in_it(tmp_path: Path) -> None:
    _publish(tmp_path, "one", 0)

    class Meanwhile(Folder):
        """A folder where a run publishes between the reading of two files."""

        published = False

        def list(self, prefix: str) -> list[Entry]:
            listed = super().list(prefix)
            if not self.published:
                self.published = True
                _publish(tmp_path, "two", 1)
            return listed

    found = catalog(Meanwhile(tmp_path / "out"))
    assert (found.named, found.newest, found.latest_problem) == ("two", "two", "")


def test_a_destination_that_does_not_exist_holds_no_snapshots(tmp_path: Path) -> None:
    assert snapshots(open_destination(str(tmp_path / "nowhere"))) == []
