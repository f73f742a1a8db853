"""Which staging folder a run works in: an unfinished one to go on with, or one of its own."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.errors import OutputError, SettingsError
from exporter.staging import workspace as staging
from exporter.staging.hold import hold
from exporter.staging.journal import FORMAT, NAME
from exporter.staging.workspace import Workspace, clean_up, discard, open_place, staging_root
from exporter.storage.opening import open_destination

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
Open = Callable[..., Workspace]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "out" / ".staging"


@pytest.fixture
def take(root: Path) -> Open:
    """Return a function that opens a place as a run does."""

    def take_place(
        snapshot_id: str | None = None,
        *,
        new_id: str = "run-20261123T020000Z",
        fingerprint: str = "print",
        now: datetime = NOW,
        fresh: bool = False,
    ) -> Workspace:
        return open_place(
            root,
            snapshot_id=snapshot_id,
            new_id=new_id,
            fingerprint=fingerprint,
            now=now,
            resume_within=timedelta(hours=24),
            fresh=fresh,
            take_withheld=False,
        )

    return take_place


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def test_a_new_place_is_private_and_has_the_new_id(take: Open, root: Path) -> None:
    place = take()
    assert place == Workspace(
        root / "run-20261123T020000Z", "run-20261123T020000Z", NOW, resumed=False
    )
    for folder in (root, place.path):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_root_that_others_could_read_is_made_private(take: Open, root: Path) -> None:
    root.mkdir(parents=True)
    root.chmod(0o755)
    take()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_unfinished_staging_of_the_same_settings_is_gone_on_with(take: Open) -> None:
    first = take()
    again = take(new_id="run-20261123T090000Z", now=later(7))
    assert again == Workspace(first.path, first.snapshot_id, NOW, resumed=True)


def test_the_newest_of_several_is_gone_on_with(take: Open) -> None:
    take("old", now=NOW)
    take("newest", now=later(2))
    take("between", now=later(1))
    assert take(now=later(3)).snapshot_id == "newest"


def test_staging_of_other_settings_is_left_alone(take: Open) -> None:
    other = take(fingerprint="other")
    place = take()
    assert (place.resumed, place.snapshot_id) == (False, "run-20261123T020000Z-2")
    assert (other.path / NAME).is_file()


def test_a_named_snapshot_is_gone_on_with_and_no_other(take: Open) -> None:
    take("one", now=later(1))
    two = take("two")
    assert take("two", now=later(2)) == Workspace(two.path, "two", NOW, resumed=True)
    assert take("three", now=later(2)).resumed is False


def test_a_named_snapshot_of_other_settings_is_refused(take: Open) -> None:
    begun = take("night", fingerprint="other")
    with pytest.raises(SettingsError, match=r"night was begun with other settings.*fresh=True"):
        take("night")
    assert (begun.path / NAME).is_file()
    place = take("night", fresh=True)
    assert (place.resumed, place.snapshot_id) == (False, "night")


@pytest.mark.parametrize(("hours", "resumed"), [(23.9, True), (24.0, True), (24.1, False)])
def test_staging_is_too_old_after_resume_within(hours: float, resumed: bool, take: Open) -> None:
    first = take()
    (first.path / "spool-0").write_bytes(b"x")
    place = take(new_id="new", now=later(hours))
    assert place.resumed is resumed
    assert (first.path / "spool-0").exists() is resumed


def test_too_old_staging_is_discarded_whatever_its_settings(take: Open) -> None:
    other = take("other", fingerprint="other")
    take(now=later(25))
    assert not other.path.exists()


def test_fresh_discards_what_would_be_gone_on_with_and_nothing_else(take: Open) -> None:
    mine = take("mine")
    other = take("other", fingerprint="other")
    (mine.path / "spool-0").write_bytes(b"x")
    place = take(new_id="new", fresh=True)
    assert (place.resumed, place.snapshot_id) == (False, "new")
    assert not mine.path.exists()
    assert other.path.exists()


def test_an_id_that_is_taken_is_numbered(take: Open, root: Path) -> None:
    for number in range(3):
        take(fingerprint=f"print {number}")
    assert sorted(path.name for path in root.iterdir()) == [
        "run-20261123T020000Z",
        "run-20261123T020000Z-2",
        "run-20261123T020000Z-3",
    ]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_folder_without_a_readable_journal_is_discarded(
    content: bytes, take: Open, root: Path
) -> None:
    (root / "night").mkdir(parents=True)
    (root / "night" / NAME).write_bytes(content)
    (root / "night" / "left over").write_bytes(b"x")
    place = take(new_id="new")
    assert (place.snapshot_id, place.resumed) == ("new", False)
    assert not (root / "night").exists()


def test_what_another_version_staged_is_not_gone_on_with(take: Open) -> None:
    path = take("night").path
    with sqlite3.connect(path / NAME) as database:
        database.execute(f"PRAGMA user_version = {FORMAT - 1}")
    database.close()
    place = take("night")
    assert (place.path, place.resumed) == (path, False)


@pytest.mark.parametrize("snapshot_id", ["../night", "a/b", "latest", "", "-x", "x" * 65])
def test_an_id_that_cannot_be_a_folders_name_is_refused(snapshot_id: str, take: Open) -> None:
    with pytest.raises(SettingsError, match="cannot be a snapshot id"):
        take(snapshot_id)


def test_a_root_that_cannot_be_made_is_refused_in_a_sentence(take: Open, root: Path) -> None:
    root.parent.write_text("a file where a folder is needed")
    with pytest.raises(OutputError, match=f"Cannot write below {root}"):
        take()


def test_discarding_what_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot write below"):
        discard(tmp_path / "absent")


def test_what_is_left_of_discarding_goes_with_the_next_run(take: Open, root: Path) -> None:
    place = take("night")
    place.path.rename(root / ".discarded-night")
    assert take("night").resumed is False
    assert [path.name for path in root.iterdir()] == ["night"]


def test_a_published_place_is_one_to_go_on_with_until_all_else_is_gone(
    take: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = take("night")
    (place.path / "publish.json").write_text("{}")
    (place.path / "parquet").mkdir()
    (place.path / "spool-0").write_bytes(b"x")

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(staging, "discard", killed)
        with pytest.raises(KeyboardInterrupt):
            clean_up(place.path)
    assert sorted(path.name for path in place.path.iterdir()) == [NAME, "publish.json"]
    assert take("night").resumed is True
    clean_up(place.path)
    assert not place.path.exists()


def test_staging_is_beside_a_local_output_else_in_a_folder_of_the_outputs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local, other = (open_destination(str(tmp_path / name)) for name in ("one", "two"))
    assert staging_root(local, None) == tmp_path / "one" / ".staging"
    named = [staging_root(output, tmp_path / "named") for output in (local, other)]
    assert {path.parent for path in named} == {tmp_path / "named"}
    assert len(set(named)) == 2
    bucket = staging_root(open_destination("s3://bucket/prefix"), None)
    assert bucket.parent == tmp_path / "cache" / "registry-exporter"


async def test_two_volumes_at_one_path_have_staging_of_their_own(tmp_path: Path) -> None:
    path, roots = tmp_path / "out", []
    for volume in ("one", "other", "one"):
        mounted = tmp_path / volume
        mounted.mkdir(exist_ok=True)
        mounted.rename(path)
        output = open_destination(str(path))
        async with hold(output, tmp_path / "named", None, 0.0):
            roots.append(staging_root(output, tmp_path / "named"))
        path.rename(mounted)
    assert roots[0] == roots[2]
    assert roots[0] != roots[1]
