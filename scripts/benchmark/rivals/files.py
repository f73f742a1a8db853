"""The command-line arguments of the rivals of a load, and the files of the snapshot."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LoadTask:
    """The database's URL, and the Parquet files of each table of the only snapshot."""

    url: str
    files: dict[str, list[Path]]


def read_load_task() -> LoadTask:
    """Return the task that the command line states."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--snapshots", type=Path, required=True)
    given = parser.parse_args()
    tables = sorted((given.snapshots / "parquet").iterdir())
    return LoadTask(given.url, {one.name: sorted(one.rglob("*.parquet")) for one in tables})
