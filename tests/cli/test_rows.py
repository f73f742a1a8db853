"""Rows of an answer on a terminal: what fits, what is cut, what a person reads."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from exporter.cli.terminal import rows as terminal_rows
from exporter.cli.terminal.rows import (
    MOST_ON_TERMINAL,
    MOST_RECORDS,
    Brevity,
    Shown,
    cell,
    show_rows,
)

DIGEST = "sha256:" + "0123456789ab" * 5 + "cdef"
NAME = "crp0123456789abcdefg/models/embeddings-cuda"
TIME = datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC)
TABLE = pa.table(
    {
        "repository_name": [NAME, "crp0/app"],
        "image_count": [1_234_567, 1],
        "stored_size": [3 * 2**30, 12],
        "newest_image_at": [TIME, None],
        "digest": [DIGEST, None],
        "image_id": ["crp0nu5nv4519o8p24ln", "crp1"],
    }
)


def shown(
    table: pa.Table, width: int, monkeypatch: pytest.MonkeyPatch, *, may_leave_out: bool = False
) -> tuple[Shown, list[str]]:
    """Return what is shown on a terminal of a width, and its lines."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(terminal_rows, "result_console", lambda: console)
    found = show_rows(table.to_reader(), may_leave_out=may_leave_out)
    return found, [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_wide_terminal_has_every_column_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found, lines = shown(TABLE, 160, monkeypatch)
    assert found == Shown(2)
    assert lines[1].split() == [
        *(NAME, "1,234,567", "3.00", "GiB", "2026-11-23", "02:00"),
        *("sha256:0123456789ab…", "crp0nu5nv4519o8p24ln"),
    ]
    assert len(lines) == 3


def test_a_narrow_one_leaves_ids_out_and_folds_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    found, lines = shown(TABLE, 80, monkeypatch, may_leave_out=True)
    assert found.left_out == ("image_id",)
    assert max(map(len, lines)) <= 80
    first = next(line for line in lines if line.startswith("crp0123456789"))
    assert "1,234,567" in first
    assert "3.00 GiB  2026-11-23" in first


def test_without_leave_to_do_so_each_row_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    found, lines = shown(TABLE, 60, monkeypatch)
    assert (found.rows, found.left_out) == (2, ())
    assert lines[:6] == [
        f"repository name  {NAME}",
        "image count      1,234,567",
        "stored size      3.00 GiB",
        "newest image at  2026-11-23 02:00:05",
        f"digest           {DIGEST}",
        "image id         crp0nu5nv4519o8p24ln",
    ]


def test_records_are_fewer_than_rows_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    many = pa.concat_tables([TABLE] * 50)
    found, lines = shown(many, 60, monkeypatch)
    assert found == Shown(MOST_RECORDS, has_more=True)
    assert len(lines) == MOST_RECORDS * (TABLE.num_columns + 1)


def test_a_terminal_gets_the_first_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found, lines = shown(pa.table({"n": range(10_000)}), 80, monkeypatch)
    assert found == Shown(MOST_ON_TERMINAL, has_more=True)
    assert len(lines) == MOST_ON_TERMINAL + 1
    assert shown(pa.table({"n": range(MOST_ON_TERMINAL)}), 80, monkeypatch)[0].has_more is False
    assert shown(pa.table({"n": pa.array([], pa.int64())}), 80, monkeypatch) == (Shown(0), [])


def test_markup_and_escapes_in_a_name_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"name[red]": ["[bold]x[/bold]\x1b[31m\n[link=https://x]y"]})
    _, lines = shown(table, 80, monkeypatch)
    assert lines == ["name[red]", "[bold]x[/bold]�[31m�[link=https://x]y"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("size", 1536, "1.50 KiB"),
        ("size_delta", -1536, "-1.50 KiB"),
        ("stored_size", Decimal(2**30), "1.00 GiB"),
        ("http_status", 403, "403"),
        ("count", 1234, "1,234"),
        ("share", 0.123456789, "0.123457"),
        ("day", date(2026, 1, 2), "2026-01-02"),
        ("complete", False, "no"),
        ("tags", ["a", "b"], "a, b"),
        ("labels", {"team": "x", "size": 2048}, "team: x, size: 2.00 KiB"),
        ("nothing", None, ""),
        ("blob", b"\x00\xff", "00ff"),
    ],
)
def test_values_are_written_for_a_person(name: str, value: Any, text: str) -> None:
    assert cell(name, value, Brevity.NONE) == text
