"""Waiting for a condition to hold, and for nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = threading.Event()


def until(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Return as soon as a condition holds; fails where it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        _PAUSE.wait(0.01)
