"""What every rival is told, as command-line arguments."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One listing of everything: where, with which token, and where the Parquet goes.

    `slots` is how many calls may be under way at once, `page_size` how many items a page has.
    """

    url: str
    token: str
    output: Path
    slots: int
    page_size: int


def read_task() -> Task:
    """Return what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--page-size", type=int, required=True)
    return Task(**vars(parser.parse_args()))
