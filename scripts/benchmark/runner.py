"""One scenario from beginning to end: its emulator, and several runs of every contender."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.contenders import CONTENDERS, Contender
from benchmark.emulated import Calls, Cloud, emulated
from benchmark.measure import Measured, busy_loops, measure
from benchmark.scenarios import Scenario
from benchmark.watch import Pace, Watch

Say = Callable[[str], None]


class BenchmarkError(Exception):
    """A contender failed, or listed other images than there are, so its time means nothing."""


@dataclass(frozen=True)
class Rows:
    """The rows of a run.

    Attributes:
        images: Rows of its images.
        layers: Rows of its layers.
        ids: A digest of all image ids in order: two runs with the same one listed the same images.
        largest_repository: Images of the largest repository; 0 if it is unknown.

    """

    images: int
    layers: int
    ids: str
    largest_repository: int


@dataclass(frozen=True)
class Run:
    """One run of one contender; `listing` is from its first call to its last answer, if watched."""

    cost: Measured
    calls: Calls
    rows: Rows
    listing: float | None
    pace: Pace | None


@dataclass(frozen=True)
class Outcome:
    """All runs of one contender in one scenario, and the medians of their costs."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return statistics.median(run.cost.seconds for run in self.runs)

    @property
    def listing(self) -> float | None:
        """Median time from the first call to the last answer, if it was watched."""
        times = [run.listing for run in self.runs if run.listing is not None]
        return statistics.median(times) if times else None

    @property
    def cpu(self) -> float:
        """Median CPU seconds, user and system."""
        return statistics.median(run.cost.user + run.cost.system for run in self.runs)

    @property
    def system(self) -> float:
        """Median CPU seconds in the kernel."""
        return statistics.median(run.cost.system for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """Median of the peak memory, in millions of bytes."""
        return statistics.median(run.cost.peak_bytes for run in self.runs) / 1e6

    @property
    def calls(self) -> float:
        """Median number of calls that were not refused."""
        return statistics.median(run.calls.total - run.calls.refused for run in self.runs)

    @property
    def rows(self) -> Rows:
        """The rows of each run, which are the same for all."""
        return self.runs[0].rows

    @property
    def pace(self) -> Pace | None:
        """The last run's calls at the server's rate, if it has one."""
        return self.runs[-1].pace


@dataclass(frozen=True)
class Result:
    """A scenario with the outcome of each contender that took part."""

    scenario: Scenario
    repositories: int
    outcomes: dict[str, Outcome]


def run_scenario(scenario: Scenario, contenders: list[str], repeats: int, say: Say) -> Result:
    """Measure the named contenders on the scenario's estate; raises `BenchmarkError`."""
    taking_part = [CONTENDERS[name] for name in CONTENDERS if name in contenders]
    runs: dict[str, list[Run]] = {contender.name: [] for contender in taking_part}
    with emulated(scenario) as cloud:
        if scenario.warm and scenario.rate is None:
            for contender in {one.pages: one for one in reversed(taking_part)}.values():
                say(f"{scenario.name}: filling the emulator's page cache by {contender.name}")
                _run(contender, cloud, scenario)
        for number in range(min(repeats, scenario.repeats or repeats)):
            for contender in taking_part:
                run = _run(contender, cloud, scenario)
                _check_same(
                    contender, run.rows, [done for every in runs.values() for done in every]
                )
                runs[contender.name].append(run)
                say(f"{scenario.name}: {contender.name} {number + 1}: {run.cost.seconds:.2f} s")
        repositories = cloud.repositories
    outcomes = {name: Outcome(tuple(done)) for name, done in runs.items()}
    return Result(scenario, repositories, outcomes)


def _run(contender: Contender, cloud: Cloud, scenario: Scenario) -> Run:
    folder = Path(tempfile.mkdtemp(prefix="registry-bench-"))
    try:
        command = contender.command(cloud, scenario, folder)
        log = folder / "log.txt"
        before = cloud.calls()
        with Watch(cloud, on=scenario.watched) as watch, busy_loops(scenario.busy):
            cost = measure(command, log, os.environ)
        calls = cloud.calls().since(before)
        if cost.exit_code != 0:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise BenchmarkError(
                f"{contender.name} ended with {cost.exit_code} in {scenario.name}:\n{tail}"
            )
        rows = _count(contender, folder)
        if rows.images != cloud.images:
            raise BenchmarkError(
                f"{contender.name} listed {rows.images} of {cloud.images} images in {scenario.name}"
            )
        return Run(cost, calls, rows, watch.listing_seconds(), watch.pace(scenario.rate))
    finally:
        shutil.rmtree(folder)


def _count(contender: Contender, folder: Path) -> Rows:
    places = [str(folder / contender.images), str(folder / contender.layers)]
    command = [sys.executable, "-m", "benchmark.counted", *places, contender.id_column]
    counted = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Rows(**json.loads(counted.stdout))


def _check_same(contender: Contender, rows: Rows, others: list[Run]) -> None:
    for other in others:
        if (rows.ids, rows.layers) != (other.rows.ids, other.rows.layers):
            raise BenchmarkError(
                f"{contender.name} listed other images than those before it, or "
                f"{rows.layers} layers instead of {other.rows.layers}"
            )
