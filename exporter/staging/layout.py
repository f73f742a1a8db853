"""The paths in a staging folder, and the rules for a snapshot's id (`tables/README.md`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Literal

from exporter.errors import SettingsError

Format = Literal["parquet", "ndjson"]

SUFFIX: dict[Format, str] = {"parquet": "parquet", "ndjson": "ndjson.gz"}
PLAN = "publish.json"
"""The plan of a publication; it exists once the publication has begun."""
WITHHELD = "withheld.json"
"""A result that waits for a person's decision to publish it."""

_TAKEN = ("latest", "previous", "all", "none")
"""Words that commands give a meaning of their own where a snapshot is named."""
_SNAPSHOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class StagedFile:
    """A finished file in the staging folder: `rows` rows of `table` at `path`."""

    table: str
    format: Format
    path: Path
    rows: int


def new_snapshot_id(now: datetime) -> str:
    """Return the default snapshot id, the run's start in UTC: `run-20261123T020000Z`.

    The id begins with a word, so that no reader parses it as a date (`tables/README.md`).
    """
    return now.astimezone(UTC).strftime("run-%Y%m%dT%H%M%SZ")


def first_free(new_id: str, is_taken: Callable[[str], bool]) -> str:
    """Return a free id: the given one, or that with a number from 2 on."""
    ids = chain([new_id], (f"{new_id}-{number}" for number in count(2)))
    return next(one for one in ids if not is_taken(one))


def check_snapshot_id(snapshot_id: str) -> str:
    """Return the id as it is; raises `SettingsError` for one that cannot be a path segment."""
    if not _SNAPSHOT_ID.fullmatch(snapshot_id) or snapshot_id in _TAKEN:
        raise SettingsError(
            f"{snapshot_id!r} cannot be a snapshot id: 1 to 64 letters, digits, '.', '_' and '-' "
            f"are needed, the first a letter or a digit, and {', '.join(_TAKEN)} are taken."
        )
    return snapshot_id


def part_name(number: int, format_: Format) -> str:
    """Return the name of a table's part, counted from 0: `part-00000.parquet`."""
    return f"part-{number:05d}.{SUFFIX[format_]}"


def staged_path(staging: Path, table: str, number: int, format_: Format) -> Path:
    """Return a staged part's path, relative to the staging folder of its snapshot."""
    return staging / format_ / table / part_name(number, format_)


def staged_parts(staging: Path, table: str) -> list[Path]:
    """Return the staged Parquet parts of a table, in the order they were written."""
    return sorted(staged_path(staging, table, 0, "parquet").parent.glob("part-*.parquet"))
