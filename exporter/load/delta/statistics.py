"""A file's statistics as a Delta log has them, made from its Parquet footer.

They are what readers skip files by, and count rows by. Columns of times have none: the log holds
them in milliseconds, and bounds that are cut would be wrong.
"""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

_LONGEST = 128
"""A longer text is no bound: the log would grow, and a cut one is wrong as an upper bound."""


def statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """Return rows, bounds and counts of nulls, by the protocol's "Per-file Statistics"."""
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for index in range(footer.num_columns):
        name = footer.schema.column(index).path
        if "." in name:  # Inside a list or a map.
            continue
        found = [footer.row_group(group).column(index) for group in range(footer.num_row_groups)]
        several = [one.statistics for one in found]
        if any(one is None or not one.has_null_count for one in several):
            continue
        nulls[name] = sum(one.null_count for one in several)
        bounded = [one for one in several if one.has_min_max]
        if any(one.num_values and not one.has_min_max for one in several):
            continue
        bounds = [bound for one in bounded for bound in (one.min, one.max)]
        if bounds and all(_is_bound(bound) for bound in bounds):
            least[name], most[name] = min(bounds), max(bounds)
    return {
        "numRecords": footer.num_rows,
        "minValues": least,
        "maxValues": most,
        "nullCount": nulls,
    }


def _is_bound(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST
    return isinstance(value, int) and not isinstance(value, bool)
