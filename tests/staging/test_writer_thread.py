"""One thread writes in turn: large parts are closed, and nothing is written after a failure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event

import pytest

from exporter.errors import OutputError
from exporter.staging import parquet
from exporter.staging.layout import StagedFile
from exporter.staging.writer_thread import WriterThread
from tests.staging.world import image_ids, rows_of


def wait_for(event: Event) -> None:
    event.wait()


async def test_a_part_that_is_large_is_closed_and_the_next_rows_go_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1)
    monkeypatch.setattr(parquet, "PART_BYTES", 1)
    files: list[StagedFile] = []
    writer = WriterThread(tmp_path, {}, closed=files.extend)
    written: list[int] = []
    for number in (1, 2):
        writer.write(rows_of(number), done=partial(written.append, number))
    await writer.finish()
    await writer.end()
    assert [(file.table, file.path.name, file.rows) for file in files] == [
        ("images", "part-00000.parquet", 2),
        ("layers", "part-00000.parquet", 1),
        ("images", "part-00001.parquet", 2),
        ("layers", "part-00001.parquet", 1),
    ]
    assert image_ids(files) == ["1.0", "1.1", "2.0", "2.1"]
    assert written == [1, 2]


async def test_nothing_is_written_after_a_failure_and_all_that_waits_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "parquet").write_text("a file where a folder is needed")
    files: list[StagedFile] = []
    writer = WriterThread(tmp_path, {}, closed=files.extend)
    waits, worked, told = Event(), list[str](), list[str]()
    writer.submit(partial(wait_for, waits), done=partial(told.append, "before"))
    writer.write(rows_of(1), partial(worked.append, "its page"), done=partial(told.append, "page"))
    writer.submit(partial(worked.append, "after"), done=partial(told.append, "after"))
    waits.set()
    with pytest.raises(OutputError, match=f"Cannot write below {tmp_path}"):
        await writer.finish()
    with pytest.raises(OutputError, match=f"Cannot write below {tmp_path}"):
        writer.submit(partial(worked.append, "later"))
    await writer.end()
    assert told == ["before", "page", "after"]
    assert worked == []
    assert files == []
