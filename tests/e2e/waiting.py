"""Waiting for a condition to hold, and for nothing else."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.e2e.clouds import Cloud, page_asked

_PAUSE = threading.Event()


def until(holds: Callable[[], bool], what: str, seconds: float = 200) -> None:
    """Return as soon as a condition holds; fails where it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        _PAUSE.wait(0.01)


def until_all_is_staged(cloud: Cloud, output: Path) -> set[tuple[str, ...]]:
    """Wait until every page that a cloud answered is durably staged; return what was asked.

    The cloud must have stopped answering by itself, as after `cloud.calls.after`.
    """
    until(lambda: cloud.calls.has_acted, "the cloud stops answering")
    until(lambda: staged_pages(output) >= len(answered(cloud)), "all pages are durably staged")
    return answered(cloud)


def answered(cloud: Cloud) -> set[tuple[str, ...]]:
    """Return what was asked in the calls that a cloud answered."""
    return {page_asked(call) for call in cloud.calls if call.status == 200}


def staged_pages(output: Path) -> int:
    """Return how many pages are durably staged below an output."""
    journals = list(output.glob(".staging/*/journal.sqlite"))
    if len(journals) != 1:
        return 0
    try:
        with closing(sqlite3.connect(f"file:{journals[0]}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM pages").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # The run has not made its tables yet.
