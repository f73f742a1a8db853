"""The emulator as a process of its own, and its counts of calls."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmark.scenarios import Scenario

PAGE_CACHE_MB = 2048
"""The most bytes of pages that the emulator caches: a cached page costs it nothing, so the
benchmark does not measure the emulator."""


@dataclass(frozen=True)
class Calls:
    """The calls so far: all that have ended, those refused (429, 503), and those answered well."""

    total: int
    refused: int
    answered: int
    under_way: int

    def since(self, before: Calls) -> Calls:
        """Return the calls since an earlier count."""
        return Calls(
            self.total - before.total,
            self.refused - before.refused,
            self.answered - before.answered,
            self.under_way,
        )


@dataclass(frozen=True)
class Cloud:
    """A running emulator: its address, a token that it accepts, and its number of images."""

    url: str
    token: str
    images: int
    repositories: int

    def calls(self) -> Calls:
        """Return its calls so far."""
        with urllib.request.urlopen(f"{self.url}/_emulator/stats", timeout=60) as answer:  # noqa: S310  (our own address)
            stats = json.load(answer)
        statuses = stats["statuses"]
        return Calls(
            total=sum(statuses.values()),
            refused=statuses.get("429", 0) + statuses.get("503", 0),
            answered=statuses.get("200", 0),
            under_way=stats["in_flight"],
        )


@contextmanager
def emulated(scenario: Scenario) -> Iterator[Cloud]:
    """Serve the scenario's estate for as long as the context lasts."""
    command = [sys.executable, "-m", "exporter.emulator", "--preset", scenario.preset]
    command += ["--images", str(scenario.images), "--latency-ms", str(scenario.latency_ms)]
    command += ["--stable-order"]
    if scenario.warm:
        command += ["--page-cache-mb", str(PAGE_CACHE_MB)]
    if scenario.rate is not None:
        command += ["--rate", str(scenario.rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            ready = json.loads(process.stdout.readline() if process.stdout else b"")
            yield Cloud(ready["url"], ready["token"], ready["images"], ready["repositories"])
        finally:
            process.terminate()
