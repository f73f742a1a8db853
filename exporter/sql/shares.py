"""Very many rows, a share after the other: DuckDB cannot spill all that comparing them needs."""

from __future__ import annotations

ROWS_AT_ONCE = 5_000_000
"""About how many rows are in a share."""


def shares(rows: int, key: str) -> list[str]:
    """Return a condition for each share of a table with so many rows.

    One of them holds for each row, and it is the same for rows with an equal `key`, which is a list
    of columns.
    """
    count = max(1, -(-rows // ROWS_AT_ONCE))
    if count == 1:
        return ["true"]
    return [f"hash({key}) % {count} = {number}" for number in range(count)]
