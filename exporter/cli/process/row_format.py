"""The formats of rows for a program, apart from `rows`: every command line parses their names."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from exporter.errors import SettingsError


class RowFormat(StrEnum):
    """A format of the rows that a command answers with, for a program."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"


def row_format(asked: RowFormat | None, to: Path | None) -> RowFormat | None:
    """Return the format of the rows: the one asked for, or that of the file's ending.

    None means a table for a person. Raises `SettingsError` for a file whose ending is no format,
    and for Parquet on a terminal.
    """
    if asked is None and to is not None:
        try:
            return RowFormat(to.suffix.removeprefix(".").lower())
        except ValueError:
            raise SettingsError(
                f"--to {to} does not end with a format: name one with --format "
                f"({', '.join(RowFormat)}), or end the file's name with it."
            ) from None
    if asked is RowFormat.PARQUET and to is None and sys.stdout.isatty():
        raise SettingsError("Parquet is not for a terminal: name a file with --to.")
    return asked
