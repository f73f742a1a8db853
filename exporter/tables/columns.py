"""How a table is stated in Arrow: its columns, each with its type and its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["listed", "derived", "ledger", "staged", "answer"]
"""Where rows come from: the API's lists (`listed`), those rows (`derived`), the run itself
(`ledger`), what a run keeps for itself (`staged`), or published snapshots (`answer`)."""

TIME = pa.timestamp("us", tz="UTC")
LABELS = pa.map_(pa.string(), pa.string())
TEXTS = pa.list_(pa.string())


@dataclass(frozen=True)
class Table:
    """One table: its name, where its rows come from, its key and its schema."""

    name: str
    kind: Kind
    description: str
    key: tuple[str, ...]
    schema: pa.Schema


def table(
    name: str, kind: Kind, key: tuple[str, ...], description: str, *columns: pa.Field
) -> Table:
    """Return a table whose schema bears its name and its description as metadata."""
    schema = pa.schema(columns, metadata={"table": name, "description": description})
    return Table(name, kind, description, key, schema)


def column(name: str, type_: pa.DataType, description: str) -> pa.Field:
    """Return a column whose metadata has its meaning."""
    return pa.field(name, type_, metadata={"description": description})


def text(name: str, description: str) -> pa.Field:
    """Return a column of UTF-8 text."""
    return column(name, pa.string(), description)


def number(name: str, description: str) -> pa.Field:
    """Return a column of 64-bit integers: a size in bytes, or a count."""
    return column(name, pa.int64(), description)


def small(name: str, description: str) -> pa.Field:
    """Return a column of 32-bit integers."""
    return column(name, pa.int32(), description)


def time(name: str, description: str) -> pa.Field:
    """Return a column of times in UTC, to the microsecond."""
    return column(name, TIME, description)


REGISTRY_ID = text("registry_id", "The registry: the repository name up to its first slash")
REPOSITORY_NAME = text("repository_name", "The repository's full name, <registry_id>/<path>")
IMAGE_ID = text("image_id", "The image's id")
