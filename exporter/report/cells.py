"""What the page's tables are made of: texts for people, values for sorting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.report.wording import bytes_, count, cut, signed


@dataclass(frozen=True)
class Column:
    """A heading; `kind` is `name`, `number` or `words`; `sort` is the order that the rows have."""

    title: str
    kind: str = "number"
    sort: str | None = None


@dataclass(frozen=True)
class Cell:
    """A cell: its text, the value that sorts it, a second line, and a bar from 0 to 100.

    `full` is the whole text where `text` is cut.
    """

    text: str
    value: int | float | None = None
    detail: str = ""
    bar: float | None = None
    full: str = ""


@dataclass(frozen=True)
class Table:
    """A table: its caption, what its rows are, and a last row for what is not shown.

    `sorts` is whether a person may sort and filter it.
    """

    caption: str
    noun: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rest: tuple[Cell, ...] = ()
    rest_count: int = 0
    sorts: bool = True


def name_cell(name: str, detail: str = "") -> Cell:
    """Return a name, cut if it is long, with a second line."""
    shown = cut(name)
    return Cell(shown, detail=cut(detail), full=name if shown != name else "")


def size_cell(value: int | None, most: int = 0) -> Cell:
    """Return bytes, or that they are not known; with `most`, the column's largest, also a bar."""
    if value is None:
        return Cell("not known", -1)
    return Cell(bytes_(value), value, bar=round(100 * value / most, 1) if most > 0 else None)


def count_cell(value: int) -> Cell:
    """Return a count."""
    return Cell(count(value), value)


def change_cell(value: int) -> Cell:
    """Return a difference of bytes with its sign."""
    return Cell(signed(bytes_(value), value), value)


def repository_cell(full_name: str, registries: Mapping[str, str]) -> Cell:
    """Return a repository's path, with the name of its registry below; `registries` are by id."""
    registry, _, path = full_name.partition("/")
    return name_cell(path or full_name, registries.get(registry, registry) if path else "")
