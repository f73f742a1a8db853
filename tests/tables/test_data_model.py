"""The data model's page says what `schemas.py` says: tables, keys, columns and types, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from exporter.snapshots.manifest import type_name
from exporter.tables.columns import TIME
from exporter.tables.schemas import TABLES

PAGE = Path(__file__).parents[2] / "exporter/tables/README.md"
ROW = re.compile(
    r"^\| `(?P<table>\w+)`[^|]*\| `(?P<key>[\w, ]+)` \| `(?P<columns>[^`]+)`", re.MULTILINE
)
KINDS = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \|", re.MULTILINE)
COLUMN = re.compile(r"(?P<name>\w+)(?: (?P<type>[\w<>,]+))?(?: \([^)]*\))?(?:, |$)")


def type_of(name: str, written: str | None) -> str:
    """Return a column's type as the page's rule has it: its own, or the one of its name."""
    if written is not None:
        return written
    if name.endswith("_at"):
        return type_name(TIME)
    if name == "size" or name.endswith(("_size", "_count")):
        return type_name(pa.int64())
    return type_name(pa.string())


def test_the_page_names_every_table_with_its_key_and_its_columns() -> None:
    told = {
        row["table"]: (
            row["key"].split(", "),
            [
                (one["name"], type_of(one["name"], one["type"]))
                for one in COLUMN.finditer(row["columns"])
            ],
        )
        for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))
    }
    assert told == {
        name: (list(table.key), [(field.name, type_name(field.type)) for field in table.schema])
        for name, table in TABLES.items()
    }


def test_the_page_names_every_kind_of_finding() -> None:
    schema = TABLES["findings"].schema
    described = schema.field("kind").metadata[b"description"].decode()
    section = PAGE.read_text(encoding="utf-8").partition("## `findings`")[2].partition("\n## ")[0]
    kinds = {kind for row in KINDS.findall(section) for kind in re.findall(r"\w+", row)}
    kinds.remove("findings")
    assert kinds == set(re.findall(r"\b[a-z]\w*_\w+\b", described)) - {"compressed_size"}
