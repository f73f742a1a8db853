"""The emulator of a registry as a process of its own, its counts of calls, and its next day."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Emulated:
    """A running emulator: its `host:port`, and the counts of its content."""

    host: str
    repositories: int
    tags: int

    def calls(self) -> int:
        """Return the calls that have ended so far."""
        with urllib.request.urlopen(f"http://{self.host}/_emulator/stats", timeout=60) as answer:
            statuses = json.load(answer)["statuses"]
        return sum(statuses.values())

    def next_day(self) -> None:
        """Let one in a hundred tags name something new."""
        address = f"http://{self.host}/_emulator/day/1"
        with urllib.request.urlopen(address, data=b"", timeout=60):
            pass


@contextmanager
def emulated(*, repositories: int, tags: int, latency_ms: float) -> Iterator[Emulated]:
    """Serve a registry in which a tenth of the tags name indexes."""
    command = [sys.executable, "-m", "exporter", "emulate", "--kind", "oci", "--preset", "nightly"]
    command += ["--repositories", str(repositories), "--tags", str(tags)]
    command += ["--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            ready = json.loads(process.stdout.readline() if process.stdout else b"")
            yield Emulated(ready["registry"], ready["repositories"], ready["tags"])
        finally:
            process.terminate()
