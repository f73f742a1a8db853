"""Items of a page that have no row, because their id cannot be read.

None of them is left out silently: what is known of an item goes to the findings and into the
coverage, and its listing does not count as complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.tables.bad_values import LOST, bad_value


@dataclass(frozen=True)
class LostItem:
    """An item without a row: `said` describes it, and `problem` is its row of `BAD_VALUES`."""

    said: str
    problem: dict[str, Any]


def lost_item(
    kind: str,
    known: str,
    wrong: str,
    problem: str | None,
    scope: str,
    row: Mapping[str, Any],
    *,
    placed: bool = False,
) -> LostItem:
    """Describe an item without a row.

    `kind` is its kind, such as `image`. `known` is its name or digest, empty if both are unknown.
    `wrong` is what is wrong with it, as the end of a sentence. `problem` is a sentence about the
    values that cannot be read, or None. `scope` names the listing, for messages. `row` has the
    columns that say where the item belongs, and `placed` is true if `known` says that as well.
    """
    said = f"{kind} {known} {wrong}" if known else f"{kind} among the {scope} {wrong}"
    subject = f"{scope}: {known}" if known and not placed else known or scope
    detail = f"The {said}, so nothing identifies it, and it has no row."
    detail += f" {problem}" if problem else ""
    return LostItem(said, bad_value(LOST, subject, detail, row))
