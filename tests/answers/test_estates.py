"""That the snapshots of these tests are sound, as `verify` sees them."""

from __future__ import annotations

from pathlib import Path

from exporter import open_snapshot, verify
from tests.answers.estates import publish_estate
from tests.derive.estates import Blob, Image, World, digest

WORLD = World(
    images=(
        Image("i1", "r1/app", (Blob(digest(1), 10), Blob(digest(2), 5)), tags=("v1",)),
        Image("i2", "r1/app", (Blob(digest(1), 10),)),
    ),
    clouds=("c1",),
    folders=(("f1", "c1"),),
    registries=(("r1", "f1", "c1"), ("r2", "f1", "c1")),
    repositories=("r1/app",),
)


def test_two_nights_are_sound_and_the_second_is_the_latest(tmp_path: Path) -> None:
    publish_estate(tmp_path, "one", WORLD, formats=("parquet", "ndjson"))
    denied = World(**{**vars(WORLD), "coverage": (("images", "r2", "denied"),)})
    assert publish_estate(tmp_path, "two", WORLD, night=1).status == "complete"
    assert publish_estate(tmp_path, "three", denied, night=2).status == "partial"
    assert [verify(tmp_path, name) for name in ("one", "two", "three")] == [[], [], []]
    with open_snapshot(tmp_path) as latest, open_snapshot(tmp_path, "previous") as previous:
        assert [latest.manifest.snapshot_id, previous.manifest.snapshot_id] == ["two", "one"]
        assert latest.manifest.totals["stored_size"] == 15
