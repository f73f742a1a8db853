"""Results as tables to read and as JSON to keep."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmark.contenders import CONTENDERS
from benchmark.runner import Outcome, Result
from benchmark.targets import Target, ideal

_PROGRAMS = ("registry-exporter", "dlt", "pyarrow", "duckdb", "aiohttp", "requests")


def scenario_table(result: Result) -> str:
    """Return one scenario as a Markdown table, with its notes."""
    scenario = result.scenario
    title = (
        f"## {scenario.name}: {scenario.images:,} images at {scenario.latency_ms:g} ms, "
        f"{scenario.slots} slots, pages of {scenario.page_size}"
    )
    exporter = result.outcomes.get("exporter")
    head = ["contender", "wall s", "of it calls", "CPU s", "of it kernel", "peak MB", "calls"]
    head += ["wall ÷ exporter", "CPU ÷ exporter"]
    rows = [
        [
            name,
            f"{outcome.seconds:.2f}",
            f"{outcome.listing:.2f}" if outcome.listing is not None else "",
            f"{outcome.cpu:.2f}",
            f"{outcome.system:.2f}",
            f"{outcome.peak_mb:.0f}",
            f"{outcome.calls:.0f}",
            f"{outcome.seconds / exporter.seconds:.2f}" if exporter else "",
            f"{outcome.cpu / exporter.cpu:.2f}" if exporter else "",
        ]
        for name, outcome in result.outcomes.items()
    ]
    return "\n".join([title, "", *table(head, rows), *_notes(result)])


def _notes(result: Result) -> Iterator[str]:
    exporter = result.outcomes.get("exporter")
    if exporter is not None and result.scenario.name == "giant-registry":
        least = ideal(result)
        yield ""
        yield (
            f"Ideal {least.seconds:.2f} s: calls × latency ÷ slots is {least.by_slots:.2f} s, the "
            f"longest sequence {least.by_sequence:.2f} s ({least.by_one_scan:.2f} s if the largest "
            "repository were listed from one end only)."
        )
    for name, outcome in result.outcomes.items():
        if outcome.pace is not None:
            pace = outcome.pace
            yield ""
            yield (
                f"{name}: {pace.achieved:.1f} calls a second of the {pace.rate:g} allowed, "
                f"{pace.refused:.1%} refused after the first ten seconds, "
                f"{pace.refused_in_all:.1%} in all."
            )


def target_table(targets: list[Target]) -> str:
    """Return the targets as a Markdown table."""
    rows = [
        [
            target.what,
            f"{'≤' if target.at_most else '≥'} {target.bound:.4g}",
            f"{target.value:.3g}",
            "met" if target.met else "MISSED",
        ]
        for target in targets
    ]
    return "\n".join(["## Targets", "", *table(["what", "wanted", "measured", ""], rows)])


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width)[:-1] + (":" if column else "-") for column, width in enumerate(widths)]
    return [line(head), line(rule), *map(line, rows)]


def machine() -> dict[str, Any]:
    """Return what is measured on."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def as_json(results: dict[str, Result]) -> dict[str, Any]:
    """Return all measurements of exports beside others: every run, and the medians."""
    return {
        "versions": {name: version(name) for name in _PROGRAMS},
        "contenders": {name: contender.about for name, contender in CONTENDERS.items()},
        "scenarios": {
            name: {
                **asdict(result.scenario),
                "repositories": result.repositories,
                "outcomes": {one: _outcome(done) for one, done in result.outcomes.items()},
            }
            for name, result in results.items()
        },
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "seconds": outcome.seconds,
        "listing_seconds": outcome.listing,
        "cpu_seconds": outcome.cpu,
        "peak_mb": outcome.peak_mb,
        "calls": outcome.calls,
        "runs": [asdict(run) for run in outcome.runs],
    }
