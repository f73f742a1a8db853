"""The names of the files that loads write, by which a later load knows what a killed one left.

A file is `registry-exporter-<load>-<number>.parquet`; the load is one of a kind.
"""

from __future__ import annotations

import re
import time
import uuid

from exporter.storage.destination import Entry

_NAME = r"registry-exporter-(?P<loader>[0-9a-f]{32})-\d+\.parquet"
_PATH = re.compile(rf"(?:^|/){_NAME}$")
_NAMES = re.compile(_NAME.encode())
_PATIENCE = 20 * 3600.0
"""Seconds after which a file of an unfinished load is left over, where another may be running."""


class PartNames:
    """The names of one table's files in one load."""

    def __init__(self) -> None:
        self._loader = uuid.uuid4().hex

    def __call__(self, number: int) -> str:
        """Return the name of a file by its number."""
        return f"registry-exporter-{self._loader}-{number:05}.parquet"


def loader_of(path: str) -> str:
    """Return the load that wrote a file; empty for a file that is not ours."""
    found = _PATH.search(path)
    return found["loader"] if found else ""


def loaders_in(text: bytes) -> set[str]:
    """Return the loads whose files a text names."""
    return {found["loader"].decode() for found in _NAMES.finditer(text)}


def is_left_over(file: Entry, *, is_exclusive: bool) -> bool:
    """Say whether a file that no table refers to can be removed.

    If no other loader can be there (`is_exclusive`), it can be, whatever its age.
    """
    return is_exclusive or time.time() - file.changed_at > _PATIENCE
