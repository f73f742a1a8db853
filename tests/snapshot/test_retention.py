"""Retention: written-out expectations for the choice, and removals that survive a kill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.snapshots.catalog import SnapshotInfo, snapshots
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Status
from exporter.snapshots.publish import publish
from exporter.snapshots.retention import (
    Choice,
    Policy,
    choose,
    remove,
    remove_orphans,
    surplus_unsound,
)
from exporter.storage.opening import open_destination
from tests.snapshot.world import (
    START,
    assert_truthful,
    data_files,
    draft,
    snapshot_of,
    stage,
)

# Oldest first; a Monday is marked. Two runs on 2026-11-23; ISO week 53 of 2026 ends in 2027.
CALENDAR = """
2026-09-30T02:00 complete
2026-10-01T02:00 complete
2026-10-31T02:00 complete
2026-11-15T23:59 complete
2026-11-16T00:00 complete  Monday
2026-11-21T02:00 complete
2026-11-22T02:00 complete
2026-11-23T02:00 complete  Monday
2026-11-23T14:00 complete
2026-12-31T02:00 complete
2027-01-01T02:00 complete
2027-01-03T02:00 complete
2027-01-04T02:00 complete  Monday
"""


def _listed(text: str) -> list[SnapshotInfo]:
    infos = []
    for line in text.strip().splitlines():
        name, status = line.split()[:2]
        if status == "broken":
            infos.append(SnapshotInfo(name, "broken", reason="not JSON"))
            continue
        time = datetime.fromisoformat(name).replace(tzinfo=UTC)
        whole = status == "complete"
        infos.append(SnapshotInfo(name, "complete" if whole else "partial", time, is_sound=whole))
    return infos


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Read lines of an id and its reasons."""
    rows = (line.split(maxsplit=1) for line in text.strip().splitlines())
    return {name: tuple(reasons.split(", ")) for name, reasons in rows}


EXPECTED = {
    "last 1": (
        Policy(last=1),
        """
        2027-01-04T02:00 last, newest complete
        """,
    ),
    "last 3": (
        Policy(last=3),
        """
        2027-01-04T02:00 last, newest complete
        2027-01-03T02:00 last
        2027-01-01T02:00 last
        """,
    ),
    "daily 6: two runs on one day count once": (
        Policy(daily=6),
        """
        2027-01-04T02:00 daily, newest complete
        2027-01-03T02:00 daily
        2027-01-01T02:00 daily
        2026-12-31T02:00 daily
        2026-11-23T14:00 daily
        2026-11-22T02:00 daily
        """,
    ),
    "weekly 4: ISO weeks, over the new year": (
        Policy(weekly=4),
        """
        2027-01-04T02:00 weekly, newest complete
        2027-01-03T02:00 weekly
        2026-11-23T14:00 weekly
        2026-11-22T02:00 weekly
        """,
    ),
    "weekly 9: no more weeks than there are": (
        Policy(weekly=9),
        """
        2027-01-04T02:00 weekly, newest complete
        2027-01-03T02:00 weekly
        2026-11-23T14:00 weekly
        2026-11-22T02:00 weekly
        2026-11-15T23:59 weekly
        2026-10-31T02:00 weekly
        2026-10-01T02:00 weekly
        """,
    ),
    "monthly 3": (
        Policy(monthly=3),
        """
        2027-01-04T02:00 monthly, newest complete
        2026-12-31T02:00 monthly
        2026-11-23T14:00 monthly
        """,
    ),
    "all together": (
        Policy(last=2, daily=3, weekly=2, monthly=5),
        """
        2027-01-04T02:00 last, daily, weekly, monthly, newest complete
        2027-01-03T02:00 last, daily, weekly
        2027-01-01T02:00 daily
        2026-12-31T02:00 monthly
        2026-11-23T14:00 monthly
        2026-10-31T02:00 monthly
        2026-09-30T02:00 monthly
        """,
    ),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_a_policy_keeps_what_is_written_here(case: str) -> None:
    policy, text = EXPECTED[case]
    choice = choose(_listed(CALENDAR), policy)
    expected = _table(text)
    assert {kept.snapshot_id: kept.reasons for kept in choice.keep} == expected
    assert [kept.snapshot_id for kept in choice.keep] == list(expected)
    every = {info.snapshot_id for info in _listed(CALENDAR)}
    assert set(choice.remove) == every - set(expected)


def test_partial_and_broken_snapshots_take_no_place() -> None:
    choice = choose(
        _listed("""
        2026-11-20T02:00 complete
        2026-11-21T02:00 partial
        2026-11-22T02:00 complete
        2026-11-22T14:00 partial
        2026-11-23T02:00 partial
        unreadable       broken
        """),
        Policy(last=1, daily=1),
    )
    assert {kept.snapshot_id: kept.reasons for kept in choice.keep} == _table("""
        2026-11-23T02:00 no newer complete
        2026-11-22T14:00 no newer complete
        2026-11-22T02:00 last, daily, newest complete
        unreadable       broken
        """)
    assert choice.remove == ("2026-11-21T02:00", "2026-11-20T02:00")


def test_partial_snapshots_are_bounded_and_complete_ones_never_go_for_it() -> None:
    infos = _listed("""
        2026-11-20T02:00 complete
        2026-11-21T02:00 partial
        2026-11-22T02:00 partial
        2026-11-23T02:00 partial
        """)
    infos.append(replace(infos[1], snapshot_id="other", scope={"folders": ["b1g"]}, is_own=False))
    choice = choose(infos, Policy(partial=2))
    assert {kept.snapshot_id: kept.reasons for kept in choice.keep} == {
        "2026-11-23T02:00": ("no newer complete",),
        "2026-11-22T02:00": ("no newer complete",),
        "2026-11-20T02:00": ("no rule for complete ones", "newest complete"),
        "other": ("of another source or scope",),
    }
    assert choice.remove == ("2026-11-21T02:00",)


def test_without_a_rule_a_complete_one_that_lost_a_part_stays() -> None:
    infos = _listed("""
        2026-11-20T02:00 complete
        2026-11-21T02:00 complete
        """)
    infos[0] = replace(infos[0], is_sound=False)
    choice = choose(infos, Policy(partial=3))
    assert {kept.snapshot_id: kept.reasons for kept in choice.keep} == {
        "2026-11-21T02:00": ("no rule for complete ones", "newest complete"),
        "2026-11-20T02:00": ("no rule for complete ones",),
    }
    assert choice.remove == ()


def test_those_of_which_a_part_vanished_are_bounded_together_with_the_partial_ones() -> None:
    infos = _listed("""
        2026-11-19T02:00 complete
        2026-11-20T02:00 complete
        2026-11-21T02:00 partial
        2026-11-22T02:00 complete
        2026-11-23T02:00 complete
        """)
    infos[3:] = [replace(one, is_sound=False) for one in infos[3:]]
    choice = choose(infos, Policy(last=2, partial=1))
    assert [kept.snapshot_id[8:10] for kept in choice.keep] == ["23", "20", "19"]
    assert surplus_unsound(infos[::-1], 2) == ["2026-11-21T02:00"]


def test_what_is_of_another_scope_or_lost_a_part_counts_for_no_rule() -> None:
    infos = _listed("""
        2026-11-20T02:00 complete
        2026-11-21T02:00 complete
        2026-11-22T02:00 complete
        2026-11-23T02:00 complete
        """)
    infos[1] = replace(infos[1], is_own=False)
    infos[3] = replace(infos[3], is_sound=False)
    choice = choose(infos, Policy(last=1))
    assert {kept.snapshot_id: kept.reasons for kept in choice.keep} == _table("""
        2026-11-23T02:00 no newer complete
        2026-11-22T02:00 last, newest complete
        2026-11-21T02:00 of another source or scope
        """)
    assert choice.remove == ("2026-11-20T02:00",)


def test_what_was_published_last_is_the_newest_whatever_the_clocks_said() -> None:
    ahead = SnapshotInfo(
        "ahead", "complete", START + timedelta(days=3650), is_sound=True, publication=1
    )
    later = SnapshotInfo("later", "complete", START, is_sound=True, publication=2)
    choice = choose([ahead, later], Policy(last=1))
    assert choice.keep[0].snapshot_id == "later"
    assert choice.remove == ("ahead",)


def test_days_are_counted_in_utc_whatever_the_offset() -> None:
    late = datetime.fromisoformat("2026-11-22T23:30:00-03:00")
    early = datetime.fromisoformat("2026-11-23T02:00:00+00:00")
    infos = [
        SnapshotInfo(name, "complete", time, is_sound=True)
        for name, time in (("early", early), ("late", late))
    ]
    choice = choose(infos, Policy(daily=5))
    assert [kept.snapshot_id for kept in choice.keep] == ["late"]
    assert choice.remove == ("early",)


def test_nothing_to_choose_from_is_no_error() -> None:
    choice = choose([], Policy(last=1))
    assert choice == Choice(keep=(), remove=())


def test_a_policy_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="no rule for what to keep"):
        choose(_listed(CALENDAR), Policy())


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


def test_removed_snapshots_leave_nothing_and_the_others_alone(out: Path) -> None:
    remove(open_destination(str(out)), ["one", "two"])
    assert assert_truthful(out) == ["three"]
    assert {path.name for path in (out / "manifests").iterdir()} == {
        "three.json",
        "three.json.sha256",
        "latest.json",
    }
    assert {path.name for path in (out / "parquet/images").iterdir()} == {"snapshot_id=three"}


def test_removing_the_latest_makes_the_one_before_it_the_latest(out: Path) -> None:
    destination = open_destination(str(out))
    remove(destination, ["three"])
    assert snapshot_of(out)["snapshot_id"] == "two"
    remove(destination, ["one", "two"])
    assert assert_truthful(out) == []
    assert destination.read(LATEST) is None


def test_every_instant_of_a_removal_is_truthful_and_a_later_prune_finishes_it(
    tmp_path: Path,
) -> None:
    class StoppedError(Exception):
        """Stands for a kill."""

    stops = 1
    while True:
        root = tmp_path / str(stops)
        for day, name in enumerate(("one", "two")):
            _publish(root, name, day)
        done = 0

        def step(_name: str, root: Path = root, limit: int = stops) -> None:
            nonlocal done
            done += 1
            assert_truthful(root / "out")
            if done == limit:
                raise StoppedError

        destination = open_destination(str(root / "out"))
        try:
            remove(destination, ["two"], on_step=step)
        except StoppedError:
            stops += 4
        else:
            break
        listed = [info.snapshot_id for info in snapshots(destination)]
        remove_orphans(destination)
        assert assert_truthful(root / "out") == sorted(listed)
        if "two" not in listed:
            assert not [path for path in data_files(root / "out") if "snapshot_id=two/" in path]
    assert stops > 8


def test_orphans_go_and_what_is_being_published_stays(out: Path) -> None:
    before = data_files(out)
    strays = (
        "parquet/images/snapshot_id=killed/part-00000.parquet",
        "ndjson/images/snapshot_id=one/part-00000.ndjson.gz",
        "parquet/images/snapshot_id=three/.part-00000.parquet.17.tmp",
        "manifests/killed.json.sha256",
        "manifests/.latest.json.17.tmp",
    )
    stay = (
        "parquet/images/snapshot_id=staged/part-00000.parquet",
        "manifests/staged.json.sha256",
        "parquet/images/README",
        "notes.txt",
    )
    for path in (*strays, *stay):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(b"")
    assert sorted(remove_orphans(open_destination(str(out)), spare=["staged"])) == sorted(strays)
    assert all((out / path).exists() for path in stay)
    assert before <= data_files(out)
    assert assert_truthful(out) == ["one", "three", "two"]


def test_files_of_a_snapshot_with_a_broken_manifest_are_no_orphans(out: Path) -> None:
    (out / "manifests/two.json").write_bytes(b"{")
    before = data_files(out)
    assert remove_orphans(open_destination(str(out))) == []
    assert data_files(out) == before
    remove(open_destination(str(out)), ["two"])
    assert not [path for path in data_files(out) if "snapshot_id=two/" in path]


def test_a_latest_left_behind_by_a_kill_is_mended_before_its_files_can_go(out: Path) -> None:
    (out / LATEST).write_bytes((out / "manifests/one.json").read_bytes())
    destination = open_destination(str(out))

    def look(_step: str) -> None:
        assert_truthful(out)

    remove(destination, choose(snapshots(destination), Policy(last=1)).remove, on_step=look)
    assert assert_truthful(out) == ["three"]
    assert snapshot_of(out)["snapshot_id"] == "three"
