"""One run of a program against a registry, measured from outside."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.measure import measure
from benchmark.runner import BenchmarkError

SLOTS = 64


@dataclass(frozen=True)
class Run:
    """The cost of a run: seconds of wall and CPU time, MB at the peak, and its calls.

    `listing` is the time from the first call to the last answer, and `times` are the seconds of
    each call by its kind, where the program was made to tell them.
    """

    seconds: float
    cpu: float
    peak_mb: float
    calls: int = 0
    listing: float = 0.0
    times: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def share(self, kind: str, part: float) -> float:
        """Return what calls of a kind take at most, for this share of them, in seconds."""
        ordered = sorted(self.times[kind])
        return ordered[int((len(ordered) - 1) * part)]


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for the cache and the output of some runs."""
    made = Path(tempfile.mkdtemp(prefix="registry-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def export(
    host: str,
    place: Path,
    *,
    immutable: Sequence[str] = (),
    level: int | None = None,
    formats: Sequence[str] = ("parquet",),
) -> Run:
    """Export a registry with the cache in a folder.

    With `level`, calls are timed by `watched.py`: 0 is the exporter as it is, another number a
    fixed number of calls at once.
    """
    output = place / "snapshots"
    settings: dict[str, Any] = {
        "source": "oci",
        "oci": {
            "cache": str(place / "cache"),
            "registries": [{"registry": host, "immutable_tags": list(immutable)}],
        },
        "limits": {"concurrency": SLOTS},
        "output": {"url": str(output), "formats": list(formats)},
    }
    config, log, times = place / "settings.yaml", place / "log.txt", place / "times.json"
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    program = ["-m", "exporter"]
    if level is not None:
        program = ["-m", "benchmark.oci.watched", str(level), str(times)]
    command = [sys.executable, *program, "export", "--config", str(config), "--log-format", "json"]
    cost = measure(command, log, os.environ)
    told = log.read_text(encoding="utf-8", errors="replace")
    shutil.rmtree(output, ignore_errors=True)
    if cost.exit_code != 0:
        raise BenchmarkError(f"an export ended with {cost.exit_code}:\n{told[-2000:]}")
    finished = next(
        event
        for event in map(json.loads, reversed(told.splitlines()))
        if event["event"] == "export_finished"
    )
    watched = json.loads(times.read_text()) if level is not None else {"listing": 0.0, "times": {}}
    return Run(
        cost.seconds,
        cost.user + cost.system,
        cost.peak_bytes / 1e6,
        finished["requests"]["calls"],
        **watched,
    )


def other(command: Sequence[str], log: Path) -> Run:
    """Run another program."""
    cost = measure(list(command), log, os.environ)
    if cost.exit_code != 0:
        told = log.read_text(encoding="utf-8", errors="replace")
        raise BenchmarkError(f"{' '.join(command)} ended with {cost.exit_code}:\n{told[-2000:]}")
    return Run(cost.seconds, cost.user + cost.system, cost.peak_bytes / 1e6)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
