"""Items of a page that have no row, for nothing tells which they are: their id cannot be read.

None is left out without a word: what it is, as far as that is known, goes to the findings and into
the coverage, where its listing is then not complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.tables.bad_values import LOST, bad_value


@dataclass(frozen=True)
class LostItem:
    """An item without a row: `said` says which and why, `problem` is its row of `BAD_VALUES`."""

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
    """Return what to say of an item without a row.

    `kind` is what it is, such as `image`, `known` all that is known of it, maybe nothing, and
    `wrong` what is wrong, as the end of a sentence; `problem` is a sentence about the values that
    cannot be read, or None. `scope` is what was listed, in a person's words, and `row` has the
    columns that say where the item is. `placed` says whether what is known tells that as well.
    """
    said = f"{kind} {known} {wrong}" if known else f"{kind} among the {scope} {wrong}"
    subject = f"{scope}: {known}" if known and not placed else known or scope
    detail = f"The {said}, so that nothing tells which it is, and it has no row."
    detail += f" {problem}" if problem else ""
    return LostItem(said, bad_value(LOST, subject, detail, row))
