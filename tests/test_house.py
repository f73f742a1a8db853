"""The house itself: the rooms that serve every source have none of one source's words in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "exporter"
ROOMS = ("crawl", "http", "staging", "storage", "snapshots")

WORDS: Mapping[str, str] = {
    "the cloud": r"\bclouds?\b|cloud_?id",
    "its folders": r"folder_?id",
    "its services": r"container.registry\b|resource.manager|\biam\b",
    "its paging": r"page_?token|page_?size|order_?by",
    "its vendors": r"nebius|yandex",
    "its reference": r"API\.md|sources/cloud",
}
"""What belongs to one source, and how it is written, in whatever case."""

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("staging/parquet.py", "cloud_id"): "a column of the tables",
    ("staging/parquet.py", "folder_id"): "a column of the tables",
    ("storage/object_store.py", "Cloud"): "Google Cloud Storage is an object store's name",
    ("storage/stores.py", "Cloud"): "Google Cloud Storage is an object store's name",
}
"""Words that may stand in a file, and why."""


def found(room: str) -> set[tuple[str, str]]:
    """Return each word of one source that a room has, with its file."""
    pattern = re.compile("|".join(WORDS.values()), re.IGNORECASE)
    return {
        (path.relative_to(HOUSE).as_posix(), match)
        for path in (HOUSE / room).rglob("*.py")
        for match in pattern.findall(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_for_every_source_has_no_word_of_one(room: str) -> None:
    allowed = {one for one in EXCEPTIONS if one[0].startswith(f"{room}/")}
    assert found(room) == allowed


def test_in_the_engine_and_in_http_a_folder_is_nothing() -> None:
    """In the rooms with files, a folder is a directory."""
    for room in ("crawl", "http"):
        for path in (HOUSE / room).rglob("*.py"):
            assert not re.findall(r"folders?\b", path.read_text(encoding="utf-8")), path
