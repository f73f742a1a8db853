"""The targets of the benchmark, and whether they are reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmark.runner import Outcome, Result

Results = dict[str, Result]


@dataclass(frozen=True)
class Target:
    """One target: the compared values, the bound, and the result.

    `value` must be at most `bound`, or at least, as `at_most` says.
    """

    what: str
    value: float
    bound: float
    at_most: bool

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


@dataclass(frozen=True)
class Ideal:
    """The least time for a listing of one giant registry, by its calls and their order.

    Attributes:
        by_slots: Seconds that the calls take if all slots are busy all the time.
        by_sequence: Seconds of the longest sequence of calls that wait for each other: clouds,
            folders, registries, the repository list, then half of the largest repository, because
            it can be listed from both ends.
        by_one_scan: The same if the largest repository were listed from one end.

    """

    by_slots: float
    by_sequence: float
    by_one_scan: float

    @property
    def seconds(self) -> float:
        """The ideal time."""
        return max(self.by_slots, self.by_sequence)


def ideal(result: Result) -> Ideal:
    """Return the ideal time of the exporter's run in a scenario with one registry."""
    scenario, outcome = result.scenario, result.outcomes["exporter"]
    latency = scenario.latency_ms / 1000
    discovery = 3 + math.ceil(result.repositories / scenario.page_size)
    pages = math.ceil(outcome.rows.largest_repository / scenario.page_size)
    return Ideal(
        by_slots=outcome.calls * latency / scenario.slots,
        by_sequence=(discovery + math.ceil(pages / 2)) * latency,
        by_one_scan=(discovery + pages) * latency,
    )


def judge(results: Results) -> list[Target]:
    """Return every target whose scenarios and contenders were run."""
    return [
        target
        for rule in (_skewed, _busy, _giant_registry, _giant_repository, _growth, _rate)
        for target in rule(results)
    ]


def _pair(results: Results, scenario: str, one: str, other: str) -> tuple[Outcome, Outcome] | None:
    outcomes = results[scenario].outcomes if scenario in results else {}
    return (outcomes[one], outcomes[other]) if {one, other} <= outcomes.keys() else None


_Cost = Callable[[Outcome], float]


def _wall(outcome: Outcome) -> float:
    return outcome.seconds


def _cpu(outcome: Outcome) -> float:
    return outcome.cpu


_RATIOS: tuple[tuple[str, _Cost, str, float], ...] = (
    ("wall time, exporter ÷ dlt", _wall, "dlt", 1 / 9),
    ("wall time, exporter ÷ sequential", _wall, "sequential", 1 / 4),
    ("CPU, exporter ÷ dlt", _cpu, "dlt", 1 / 7),
    ("CPU, exporter ÷ floor", _cpu, "floor", 1.6),
)
"""The compared costs, each with its greatest ratio."""
_WITHIN = 1.2
"""How much larger a ratio may be on a machine of which another program takes a core."""


def _skewed(results: Results) -> Iterator[Target]:
    for what, cost, other, bound in _RATIOS:
        if pair := _pair(results, "skewed", "exporter", other):
            yield Target(f"skewed: {what}", cost(pair[0]) / cost(pair[1]), bound, at_most=True)
    if pair := _pair(results, "skewed", "exporter+ndjson", "exporter"):
        extra = pair[0].cpu / pair[1].cpu - 1
        yield Target("skewed: CPU that NDJSON adds ÷ Parquet only", extra, 1.0, at_most=True)


def _busy(results: Results) -> Iterator[Target]:
    for what, cost, other, _ in _RATIOS:
        quiet = _pair(results, "skewed", "exporter", other)
        busy = _pair(results, "skewed-busy", "exporter", other)
        if quiet and busy:
            ratio, usual = (cost(pair[0]) / cost(pair[1]) for pair in (busy, quiet))
            what_then = f"beside a busy loop ÷ without: {what}"
            yield Target(what_then, ratio / usual, _WITHIN, at_most=True)


def _giant_registry(results: Results) -> Iterator[Target]:
    result = results.get("giant-registry")
    outcome = result.outcomes.get("exporter") if result else None
    if result is None or outcome is None:
        return
    least = ideal(result).seconds
    what = "giant registry: share of the ideal speed-up"
    yield Target(f"{what}, whole process", least / outcome.seconds, 0.7, at_most=False)
    if outcome.listing is not None:
        yield Target(f"{what}, first to last call", least / outcome.listing, 0.7, at_most=False)


def _giant_repository(results: Results) -> Iterator[Target]:
    if pair := _pair(results, "giant-repository", "exporter-unsplit", "exporter"):
        what = "giant repository: unsplit ÷ split"
        times = pair[0].seconds / pair[1].seconds
        yield Target(f"{what}, whole process", times, 1.8, at_most=False)
        if pair[0].listing is not None and pair[1].listing is not None:
            times = pair[0].listing / pair[1].listing
            yield Target(f"{what}, first to last call", times, 1.8, at_most=False)


def _growth(results: Results) -> Iterator[Target]:
    if not {"growth-small", "growth-large"} <= results.keys():
        return
    small = results["growth-small"].outcomes["exporter"]
    large = results["growth-large"].outcomes["exporter"]
    yield Target("growth tenfold: CPU", large.cpu / small.cpu, 9, at_most=True)
    yield Target("growth tenfold: peak memory", large.peak_mb / small.peak_mb, 1.25, at_most=True)
    yield Target("largest estate: peak memory, MB", large.peak_mb, 400, at_most=True)
    if "growth-huge" in results:
        huge = results["growth-huge"].outcomes["exporter"]
        grown = huge.cpu / large.cpu
        yield Target("growth tenfold again: CPU", grown, 11, at_most=True)
        yield Target("ten million images: peak memory, MB", huge.peak_mb, 1000, at_most=True)


def _rate(results: Results) -> Iterator[Target]:
    result = results.get("rate")
    outcome = result.outcomes.get("exporter") if result else None
    if outcome is not None and outcome.pace is not None:
        pace = outcome.pace
        share = pace.achieved / pace.rate
        yield Target("rate limit: achieved ÷ allowed", share, 0.9, at_most=False)
        yield Target("rate limit: refused after 10 s", pace.refused, 0.02, at_most=True)
    if pair := _pair(results, "rate", "exporter", "exporter-unsplit"):
        calls = pair[0].calls / pair[1].calls
        yield Target("rate limit: calls ÷ fewest possible", calls, 1.15, at_most=True)
