"""The stage: what is handed over is written in order, recalled after any end, or fails loudly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from exporter.errors import OutputError
from exporter.page import Note
from exporter.staging import stage as room
from exporter.staging.stage import Stage
from exporter.tables.schemas import TABLES
from tests.staging.world import ROOT, body_of, image_ids, keep, key_of, rows_of, summary_of


def parts(staging: Path) -> list[str]:
    return sorted(str(path.relative_to(staging)) for path in staging.rglob("part-*"))


def spooled(staging: Path) -> int:
    return sum(path.stat().st_size for path in staging.glob("spool-*"))


async def recall_all(staging: Path, numbers: range) -> dict[int, bytes | None]:
    """Return the bodies of the pages that an earlier attempt kept."""
    async with Stage(staging) as stage:
        pages = {number: stage.stored(key_of(number)) for number in numbers}
    return {number: page.body for number, page in pages.items() if page is not None}


async def test_what_was_handed_over_is_in_finished_parts(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        await keep(stage, *range(20))
        files = await stage.finish()
    assert sorted(image_ids(files)) == sorted(f"{n}.{place}" for n in range(20) for place in (0, 1))
    assert {file.table: file.rows for file in files} == {"images": 40, "layers": 20}
    for file in files:
        table = pq.read_table(file.path)
        assert table.schema.equals(TABLES[file.table].schema)
        assert table.num_rows == file.rows


async def test_parts_that_were_open_at_the_end_are_deleted_and_their_pages_recalled(
    tmp_path: Path,
) -> None:
    async with Stage(tmp_path) as stage:
        await keep(stage, 1, 2)
    assert parts(tmp_path) == [
        "parquet/images/part-00000.parquet",
        "parquet/layers/part-00000.parquet",
    ]
    async with Stage(tmp_path) as stage:
        assert parts(tmp_path) == []
        assert stage.kept_before == 2
        for number in (1, 2):
            recalled = stage.stored(key_of(number))
            assert recalled is not None
            assert (recalled.body, recalled.sealed) == (body_of(number), False)
        await keep(stage, 1, 2, 3)
        files = await stage.finish()
    assert sorted(image_ids(files)) == ["1.0", "1.1", "2.0", "2.1", "3.0", "3.1"]


async def test_finished_parts_stay_and_new_ones_have_new_numbers(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        await keep(stage, 1)
        first = await stage.finish()
        await keep(stage, 2)
    async with Stage(tmp_path) as stage:
        recalled = [stage.stored(key_of(number)) for number in (1, 2)]
        assert [page.sealed for page in recalled if page is not None] == [True, False]
        await keep(stage, 2)
        second = await stage.finish()
    assert {file.path for file in first} < {file.path for file in second}
    assert sorted(image_ids(second)) == ["1.0", "1.1", "2.0", "2.1"]


async def test_parts_are_closed_when_they_or_the_spool_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SPOOL_BYTES", 1)
    async with Stage(tmp_path) as stage:
        await keep(stage, *range(3))
        files = await stage.finish()
    assert [file.rows for file in files if file.table == "images"] == [2, 2, 2]
    assert spooled(tmp_path) == 0


async def test_a_note_is_there_whenever_a_page_handed_over_after_it_is(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        assert stage.notes("crp1") == frozenset()
        stage.add_note(Note("crp1", "crp1/app", "alone"))
        await keep(stage, 1)
    async with Stage(tmp_path) as stage:
        assert stage.stored(key_of(1)) is not None
        assert stage.notes("crp1") == {Note("crp1", "crp1/app", "alone")}


async def test_tables_without_rows_have_no_part(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        empty = {name: table.slice(0, 0) for name, table in rows_of(1).items()}
        await stage.keep(key_of(1), summary_of(1), body_of(1), empty)
        assert await stage.finish() == []


async def test_an_error_of_the_run_keeps_what_was_handed_over(tmp_path: Path) -> None:
    async def fail_midway() -> None:
        async with Stage(tmp_path) as stage:
            await keep(stage, 1, 2)
            raise KeyError("something else")

    with pytest.raises(KeyError):
        await fail_midway()
    async with Stage(tmp_path) as stage:
        assert stage.kept_before == 2


async def test_a_writer_that_fails_is_told_of_by_the_next_call(tmp_path: Path) -> None:
    async def stage_in_vain() -> None:
        async with Stage(tmp_path) as stage:
            (tmp_path / "parquet").write_text("a file where a folder is needed")
            await keep(stage, 1)
            await stage.finish()

    with pytest.raises(OutputError, match=f"Cannot write below {tmp_path}"):
        await stage_in_vain()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from exporter.errors import OutputError
from exporter.staging.stage import Stage
from tests.staging.world import keep

async def fill():
    async with Stage(Path(sys.argv[1])) as stage:
        await keep(stage, 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        await keep(stage, *range(2, 4000))
        await stage.finish()

try:
    asyncio.run(fill())
except OutputError as error:
    print(error)
"""


def unmeasured() -> dict[str, str]:
    """The environment of a process whose files are limited: neither coverage nor bytecode fits."""
    names = {name for name in os.environ if not name.startswith("COVERAGE_")}
    return {name: os.environ[name] for name in names} | {"PYTHONDONTWRITEBYTECODE": "1"}


def test_a_full_disk_is_an_output_error_and_what_was_durable_stays(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(300 * 1024)],
        cwd=ROOT,
        env=unmeasured(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout
    assert "has space" in done.stdout or "file system allows" in done.stdout
    assert "Traceback" not in done.stderr
    kept = asyncio.run(recall_all(tmp_path, range(1, 4000)))
    assert [number for number, body in kept.items() if body != body_of(number)] == []


async def test_a_finished_part_that_is_gone_is_not_passed_over(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        await keep(stage, 1)
        files = await stage.finish()
    files[0].path.unlink()
    with pytest.raises(OutputError, match="is gone: start the snapshot over with fresh=True"):
        Stage(tmp_path)
