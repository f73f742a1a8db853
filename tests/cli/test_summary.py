"""The summary: by id and name, whole where there is room, and its head never scrolled away."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from exporter.cli.terminal.summary import show_summary
from exporter.snapshots.highlights import Highlights, Missing, ScopeSizes
from exporter.snapshots.manifest import Manifest, Requests, TableEntry

NAMES = ("команда платежей 🚚 " * 4, "line\nbreak \x1b[31m\u202e", "registry-2", "", "x" * 90)
IDS = tuple(f"crp{number:017}" for number in range(5))
REASON = (
    "the API answered 403 PERMISSION_DENIED (Permission denied): GET "
    f"https://container-registry.api.il.nebius.cloud/{'a-long-path/' * 20}?registryId={IDS[0]}"
)
FOUND = Highlights(
    registries=tuple(
        ScopeSizes(id_, name, 7, 2**40, 2**30) for id_, name in zip(IDS, NAMES, strict=True)
    ),
    repositories=tuple(
        ScopeSizes(f"{id_}/{'deep/' * 15}app", name, 7, 2**40, 2**30)
        for id_, name in zip(IDS, NAMES, strict=True)
    ),
    findings={"size_mismatch": 165, "bad_value": 149, "size_conflict": 67, "tag_on_two_images": 9},
    missing=tuple(Missing("images", id_, "denied", REASON) for id_ in IDS),
)


def manifest(status: str) -> Manifest:
    names = ("clouds", "folders", "registries", "repositories")
    schema = pa.schema([])
    figures = ("image_count", "untagged_image_count", "tag_count", "layer_count", "logical_size")
    return Manifest(
        generator="registry-exporter/test",
        snapshot_id="run-20261123T020000Z",
        status=status,  # type: ignore[arg-type] # one of the two
        started_at=datetime(2026, 11, 23, 2, tzinfo=UTC),
        finished_at=datetime(2026, 11, 23, 2, 10, tzinfo=UTC),
        source={},
        scope={},
        tables={name: TableEntry(rows=3, schema=schema, files=[]) for name in names},
        totals={**dict.fromkeys(figures, 1_000_000), "stored_size": 2**44, "untagged_size": 2**40},
        coverage={"complete": 90, "denied": 0 if status == "complete" else 40},
        requests=Requests(calls=12, retries=1, throttled=0, bytes=1000),
    )


def shown(
    status: str, width: int, height: int, *, found: Highlights = FOUND, **totals: int | None
) -> list[str]:
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        _environ={"TERM": "xterm", "NO_COLOR": "1"},
    )
    with console.capture() as captured:
        of = manifest(status)
        of = of.model_copy(update={"totals": {**of.totals, **totals}})
        show_summary(console, of, found, output="s3://bucket/" + "prefix/" * 20)
    return [Text.from_ansi(line).plain for line in captured.get().split("\n")[:-1]]


@pytest.mark.parametrize("status", ["complete", "partial"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 50)])
def test_the_head_is_still_on_the_screen_when_the_prompt_comes(
    status: str, width: int, height: int
) -> None:
    lines = shown(status, width, height)
    rows = sum(max(1, -(-cell_len(line) // width)) for line in lines)
    assert rows < height
    assert "run-20261123T020000Z" in "".join(lines[:2])
    assert any("registry-exporter" in line or "-m exporter" in line for line in lines)
    assert ("PARTIAL" in lines[0] + lines[1]) == (status == "partial")


def test_where_there_is_room_every_scope_has_its_id_and_its_name_on_one_line() -> None:
    lines = shown("complete", 200, 60)
    for id_, name in zip(IDS, NAMES, strict=True):
        beginning = "".join(letter for letter in name[:4] if letter.isprintable())
        of_it = [line for line in lines if id_ in line]
        assert len(of_it) == 2, "a registry, and a repository in it"
        assert all(beginning in line for line in of_it)
    assert not [line for line in lines if "\x1b" in line or "\u202e" in line]


def test_untagged_images_that_cannot_be_seen_are_unknown_and_not_none() -> None:
    blind = tuple(replace(one, untagged_size=None) for one in FOUND.registries)
    found = replace(FOUND, registries=blind, repositories=())
    lines = shown("complete", 200, 60, found=found, untagged_size=None, untagged_image_count=None)
    text = "\n".join(lines)
    assert "1,000,000 images (untagged unknown)" in text
    assert "Stored at least" in text
    assert [line.split()[-1] for line in lines if IDS[0] in line] == ["unknown"]
    assert "these registries do not list them" in text
    assert "deleting" not in text


def test_the_reason_of_a_missing_listing_takes_three_lines_at_most() -> None:
    lines = shown("partial", 80, 60)
    first = next(index for index, line in enumerate(lines) if f"images of {IDS[0]}" in line)
    second = next(index for index, line in enumerate(lines) if f"images of {IDS[1]}" in line)
    assert second - first <= 4
    assert "MISSING: 40 listings of 130" in "".join(lines)
