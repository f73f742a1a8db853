"""Rows of any answer as a table for a person: units, separators, names that print.

On a terminal, the first rows are shown: as a table, or as records one below the other where the
terminal is too narrow for a table. Into a pipe go all rows, a chunk at a time and never folded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from itertools import chain, islice
from typing import Any

import pyarrow as pa
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from exporter.cli.terminal.tables import new_table, result_console
from exporter.figures import printable, size

MOST_ON_TERMINAL = 200
"""How many rows a terminal gets."""
MOST_RECORDS = 20
"""How many it gets where each row takes several lines."""

_CHUNK = 1000
_GAP = 2
_LEAST_TEXT, _LEAST_LIST = 24, 12
"""The least width of a column whose texts, or lists, are longer."""
_SIZE = re.compile(r"(.*_)?(size|bytes)(_delta)?")
_PLAIN_NUMBER = re.compile(r"(.*_)?(status|year|id)")
_ID = re.compile(r"(.*_)?(id|digest)")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


class Brevity(IntEnum):
    """How short cells are: digests are cut to their first letters, times to minutes or days."""

    NONE = 0
    SHORT = 1
    SHORTEST = 2


@dataclass
class Column:
    """A column of a table: its cells, and how wide it is."""

    header: str
    cells: Sequence[str]
    is_number: bool
    longest: int
    least: int
    width: int = 0

    @classmethod
    def of(cls, field: pa.Field, values: Sequence[Any], brevity: Brevity) -> Column:
        """Return the column of some values."""
        cells = [cell(field.name, value, brevity) for value in values]
        longest = max(map(cell_len, cells))
        may_fold = pa.types.is_string(field.type) or pa.types.is_nested(field.type)
        least = _LEAST_LIST if pa.types.is_nested(field.type) else _LEAST_TEXT
        header = _header(field.name)
        return cls(
            header,
            cells,
            _is_number(field.type),
            longest,
            max(*map(cell_len, header.split(" ")), min(longest, least) if may_fold else longest),
        )


@dataclass(frozen=True)
class Shown:
    """How many rows were shown, whether there are more, and which columns had no room."""

    rows: int
    has_more: bool = False
    left_out: tuple[str, ...] = ()


def show_rows(rows: pa.RecordBatchReader, *, may_leave_out: bool = False) -> Shown:
    """Print rows to stdout: the first ones on a terminal, all of them into a pipe.

    Where the terminal is too narrow, the last columns of ids are left out if they may be, and else
    each row becomes a record of its own.
    """
    console = result_console()
    if not console.is_terminal:
        return Shown(_print_lines(rows))
    shown = list(islice(_rows(rows), MOST_ON_TERMINAL + 1))
    has_more = len(shown) > MOST_ON_TERMINAL
    shown = shown[:MOST_ON_TERMINAL]
    if not shown:
        return Shown(0)
    fields = list(rows.schema)
    left_out: list[str] = []
    while True:
        for brevity in (Brevity.SHORT, Brevity.SHORTEST):
            columns = [
                Column.of(field, [row[place] for row in shown], brevity)
                for place, field in enumerate(rows.schema)
                if field in fields
            ]
            if fit(columns, console.width):
                _print_table(console, columns)
                return Shown(len(shown), has_more, tuple(reversed(left_out)))
        ids = [field for field in fields if _ID.fullmatch(field.name)]
        if not (may_leave_out and ids):
            break
        left_out.append(ids[-1].name)
        fields.remove(ids[-1])
    records = shown[:MOST_RECORDS]
    columns = [
        Column.of(field, [row[place] for row in records], Brevity.NONE)
        for place, field in enumerate(rows.schema)
    ]
    _print_records(console, columns)
    return Shown(len(records), has_more or len(shown) > len(records))


def cell(name: str, value: Any, brevity: Brevity) -> str:
    """Return a value of a column as text: a size with its unit, a count with separators."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    match value:
        case bool():
            text = "yes" if value else "no"
        case int() | float() | Decimal():
            text = _number(name, value)
        case datetime():
            text = _time(value, brevity)
        case list():
            text = ", ".join(cell(name, one, brevity) for one in value)
        case dict():
            text = ", ".join(f"{key}: {cell(str(key), one, brevity)}" for key, one in value.items())
        case bytes():
            text = value.hex()
        case _:
            text = "" if value is None else str(value)
    found = _DIGEST.fullmatch(text) if brevity else None
    return f"{found[1]}…" if found else printable(text)


def _number(name: str, value: float | Decimal) -> str:
    if not isinstance(value, int):
        return f"{value:,.6g}"
    if _SIZE.fullmatch(name):
        return f"-{size(-value)}" if value < 0 else size(value)
    return str(value) if _PLAIN_NUMBER.fullmatch(name) else f"{value:,}"


def _time(value: datetime, brevity: Brevity) -> str:
    """Return a time in UTC: to the second, to the minute, or as a day."""
    there = value.astimezone(UTC) if value.tzinfo else value
    match brevity:
        case Brevity.NONE:
            return f"{there:%Y-%m-%d %H:%M:%S}"
        case Brevity.SHORT:
            return f"{there:%Y-%m-%d %H:%M}"
        case Brevity.SHORTEST:
            return f"{there:%Y-%m-%d}"


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _rows(rows: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in rows:
        columns = (column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns)
        yield from zip(*columns, strict=True)


def _header(name: str) -> str:
    return printable(name).replace("_", " ")


def _print_lines(rows: pa.RecordBatchReader) -> int:
    """Print all rows; the first ones decide how wide columns are, and longer cells stand out."""
    fields = list(rows.schema)
    lines = (
        [cell(field.name, value, Brevity.NONE) for field, value in zip(fields, row, strict=True)]
        for row in _rows(rows)
    )
    first = [[_header(field.name) for field in fields], *islice(lines, _CHUNK)]
    widths = [max(map(len, column)) for column in zip(*first, strict=True)]
    count = 0
    for count, line in enumerate(chain(first, lines)):  # noqa: B007 - the header is no row
        cells = (
            text.rjust(width) if _is_number(field.type) else text.ljust(width)
            for text, width, field in zip(line, widths, fields, strict=True)
        )
        sys.stdout.write((" " * _GAP).join(cells).rstrip() + "\n")
    return count


def fit(columns: Sequence[Column], width: int) -> bool:
    """Give each column a width so that all fit, and say whether that is possible.

    Headers may be folded between words, and long texts anywhere; figures and times are not.
    """
    for column in columns:
        column.width = column.least
    spare = width - sum(column.width + _GAP for column in columns) + _GAP
    if spare < 0:
        return False
    for widest in (lambda one: one.longest, lambda one: len(one.header)):
        for column in sorted(columns, key=lambda one: widest(one) - one.width):
            more = min(spare, max(0, widest(column) - column.width))
            column.width += more
            spare -= more
    return True


def _print_table(console: Console, columns: Sequence[Column]) -> None:
    table = new_table()
    for column in columns:
        table.add_column(
            Text(column.header),
            justify="right" if column.is_number else "left",
            overflow="fold",
            width=column.width,
            vertical="top",
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)


def _print_records(console: Console, columns: Sequence[Column]) -> None:
    width = max(len(column.header) for column in columns)
    for row in zip(*(column.cells for column in columns), strict=True):
        for column, text in zip(columns, row, strict=True):
            line = Text.assemble((column.header.ljust(width + _GAP), "dim"), text)
            console.print(line, soft_wrap=True)
        console.print()
