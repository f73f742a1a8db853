"""What only the crawl sees, most of all values that cannot be read, on its way to the findings.

The rows are staged page by page (`staged.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from exporter.tables.columns import Table

_PLACES = ("registry_id", "repository_name", "image_id")

BAD_VALUES = Table(
    name="bad_values",
    kind="staged",
    description="Findings of the crawl: of which listing, and what in a sentence; those without a "
    "kind are of values that cannot be read",
    key=("listing", "subject", "kind"),
    schema=pa.schema(
        [(name, pa.string()) for name in ("listing", "subject", *_PLACES, "detail", "kind")]
    ),
)

LOST = "lost"
"""Stands for the listing of what has no row: nothing tells which it is."""


def bad_value(listing: str, subject: str, detail: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `BAD_VALUES` for an item, whose `row` says where it is."""
    places = {name: row.get(name) for name in _PLACES}
    return {"listing": listing, "subject": subject, **places, "detail": detail}


def bad_values(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows of `BAD_VALUES` as Arrow."""
    return pa.Table.from_pylist(rows, BAD_VALUES.schema) if rows else NO_BAD_VALUES


NO_BAD_VALUES = BAD_VALUES.schema.empty_table()
