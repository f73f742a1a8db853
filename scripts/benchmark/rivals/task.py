"""The command-line arguments of every rival."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One listing of everything: the address, the token, and the folder for the Parquet files.

    `slots` is the most calls under way at once, `page_size` the number of items on a page.
    """

    url: str
    token: str
    output: Path
    slots: int
    page_size: int


def read_task() -> Task:
    """Return the task that the command line states."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--page-size", type=int, required=True)
    return Task(**vars(parser.parse_args()))
