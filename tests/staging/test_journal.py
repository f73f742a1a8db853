"""The journal: which pages come back, with what, and what any end leaves behind."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from exporter.errors import OutputError
from exporter.page import Note, StoredPage
from exporter.staging.journal import NAME, Journal
from exporter.staging.layout import StagedFile, staged_path
from exporter.staging.stage import Stage
from tests.staging.world import ROOT, body_of, image_ids, key_of, summary_of


def keep(journal: Journal, numbers: Iterable[int], *, inline: bool = False) -> None:
    for number in numbers:
        journal.keep(key_of(number), summary_of(number), body_of(number), inline=inline)


def spools(staging: Path) -> list[Path]:
    return sorted(path for path in staging.glob("spool-*") if path.stat().st_size)


def test_pages_that_were_kept_come_back_with_their_bodies(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        keep(journal, range(5))
        keep(journal, [7], inline=True)
        journal.commit()
    with Journal(tmp_path) as journal:
        assert journal.kept_before == 6
        for number in (0, 1, 2, 3, 4, 7):
            recalled = StoredPage(summary_of(number), body_of(number), sealed=False)
            assert journal.stored(key_of(number)) == recalled
        assert journal.stored(key_of(99)) is None


def test_sealing_lets_bodies_go_but_those_that_are_needed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        keep(journal, [1])
        keep(journal, [2], inline=True)
        journal.seal(
            [StagedFile("images", "parquet", staged_path(tmp_path, "images", 3, "parquet"), 9)]
        )
        keep(journal, [3])
        journal.commit()
    with Journal(tmp_path) as journal:
        assert journal.stored(key_of(1)) == StoredPage(summary_of(1), None, sealed=True)
        assert journal.stored(key_of(2)) == StoredPage(summary_of(2), body_of(2), sealed=True)
        assert journal.stored(key_of(3)) == StoredPage(summary_of(3), body_of(3), sealed=False)
        assert journal.parts() == [("images", 3, 9)]


def test_spools_go_once_nothing_in_them_is_needed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        keep(journal, range(3))
        journal.commit()
        assert len(spools(tmp_path)) == 1
        journal.seal([])
        assert spools(tmp_path) == []
        keep(journal, [4])
        journal.commit()
    with Journal(tmp_path) as journal:
        keep(journal, [5])
        journal.commit()
        assert len(spools(tmp_path)) == 2
        journal.seal([])
        # Page 4 was not kept again: its rows are in no part, so its body has to stay.
        assert len(spools(tmp_path)) == 1
        recalled = journal.stored(key_of(4))
        assert recalled is not None
        assert recalled.body == body_of(4)


def test_a_page_kept_again_is_sealed_with_the_pages_of_this_attempt(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        keep(journal, [1, 2])
        journal.commit()
    with Journal(tmp_path) as journal:
        keep(journal, [1])
        journal.seal([])
    with Journal(tmp_path) as journal:
        assert journal.stored(key_of(1)) == StoredPage(summary_of(1), None, sealed=True)
        assert journal.stored(key_of(2)) == StoredPage(summary_of(2), body_of(2), sealed=False)


def as_killed(staging: Path) -> Path:
    """Return a copy of a staging folder as a kill at this moment would leave it."""
    return shutil.copytree(staging, staging.with_name("killed"))


def test_what_was_never_committed_is_not_there(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    with Journal(staging) as journal:
        keep(journal, [1])
        journal.commit()
        keep(journal, [2])
        with Journal(as_killed(staging)) as after:
            assert after.stored(key_of(1)) is not None
            assert after.stored(key_of(2)) is None


def test_a_page_of_this_attempt_is_not_recalled_by_it_in_a_fresh_journal(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        keep(journal, [1])
        journal.commit()
        assert journal.kept_before == 0
        assert journal.stored(key_of(1)) is None


def test_a_note_is_there_whenever_a_page_kept_after_it_is(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    with Journal(staging) as journal:
        journal.add_note(Note("crp1", "crp1/app", "alone"))
        keep(journal, [1])
        journal.commit()
        journal.add_note(Note("crp1", "crp1/lib", "back"))
        with Journal(as_killed(staging)) as after:
            assert after.stored(key_of(1)) is not None
            assert after.notes() == {"crp1": {Note("crp1", "crp1/app", "alone")}}


def test_a_note_made_twice_is_one_and_scopes_are_told_apart(tmp_path: Path) -> None:
    alone, back = Note("crp1", "crp1/a", "alone"), Note("crp1", "crp1/a", "back")
    other = Note("crp2", "crp2/a", "alone")
    with Journal(tmp_path) as journal:
        for note in (alone, alone, back, other):
            journal.add_note(note)
        assert journal.notes() == {"crp1": {alone, back}, "crp2": {other}}


def test_facts_about_the_run_are_durable_at_once(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    with Journal(staging) as journal:
        journal.set_meta(snapshot_id="one", fingerprint="f")
        journal.set_meta(snapshot_id="two")
        with Journal(as_killed(staging)) as after:
            assert after.meta() == {"snapshot_id": "two", "fingerprint": "f"}


def test_a_journal_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this is not a database " * 1000)
    with pytest.raises(OutputError, match=r"journal below .* fresh=True"):
        Journal(tmp_path)


def test_a_folder_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="journal below"):
        Journal(tmp_path / "absent")


def write_until_killed(staging: Path, lines: int) -> int:
    """Kill a writer after so many lines; return how many pages it said were committed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.staging.world", str(staging)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        # What it said between the last line read and its end was committed too.
        said += writer.stdout.read().splitlines()
    return max(map(int, said))


async def check_recalled(staging: Path, committed: int) -> None:
    async with Stage(staging) as stage:
        assert stage.kept_before >= committed
        recalled = {number: stage.stored(key_of(number)) for number in range(committed)}
        pages = {number: page for number, page in recalled.items() if page is not None}
        assert len(pages) == committed
        assert [n for n, page in pages.items() if page.summary != summary_of(n)] == []
        needed = {n: page for n, page in pages.items() if n % 5 == 0 or not page.sealed}
        assert [n for n, page in needed.items() if page.body != body_of(n)] == []
        # Finished parts hold the rows of sealed pages, each once, and nothing else.
        staged = image_ids(await stage.finish())
        assert len(staged) == len(set(staged))
        sealed = {f"{n}.{place}" for n, page in pages.items() if page.sealed for place in (0, 1)}
        assert sealed <= set(staged)
        assert {f"{n}.0" for n, page in pages.items() if not page.sealed}.isdisjoint(staged)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_nothing_committed_is_lost(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        committed = write_until_killed(tmp_path, chance.randrange(1, 12))
        asyncio.run(check_recalled(tmp_path, committed))
