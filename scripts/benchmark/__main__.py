"""`python -m benchmark`: the benchmark on the command line; `scripts/bench` prepares it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmark.contenders import CONTENDERS
from benchmark.oci import figures as oci
from benchmark.report import as_json, scenario_table, target_table
from benchmark.runner import BenchmarkError, Result, run_scenario
from benchmark.scenarios import FULL, QUICK
from benchmark.targets import judge

_TOO_SMALL = "\nThese sizes show that the benchmark works; they are too small for a judgement."


def main() -> int:
    """Run the benchmark, print the results and write them down; return the exit code.

    It is 0 if everything was measured, even if a target was missed, and 1 if a contender failed.
    """
    given = _arguments()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {text}", file=sys.stderr, flush=True)

    if given.only == "oci":
        return _measure_registries(given, say)
    results: dict[str, Result] = {}
    for scenario in QUICK if given.quick else FULL:
        taking_part = [name for name in scenario.contenders if name in given.contender]
        if scenario.name not in given.scenario or not taking_part:
            continue
        try:
            result = run_scenario(scenario, taking_part, given.repeats, say)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
        results[scenario.name] = result
        print(scenario_table(result), flush=True)
        print()
    targets = judge(results)
    if targets:
        print(target_table(targets))
    if given.quick:
        print(_TOO_SMALL)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    content = as_json(results, targets, quick=given.quick)
    given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    say(f"written to {given.json}")
    return 0


def _measure_registries(given: argparse.Namespace, say: oci.Say) -> int:
    """Measure the figures of OCI registries; return the exit code."""
    measured: dict[str, oci.Figure] = {}
    for name in given.figure or oci.FIGURES:
        try:
            measured[name] = oci.FIGURES[name](oci.QUICK if given.quick else oci.FULL, say)
        except (BenchmarkError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        print(measured[name].text, end="\n\n", flush=True)
    targets = [target for one in measured.values() for target in one.targets]
    print(target_table(targets))
    if given.quick:
        print(_TOO_SMALL)
    content = {
        name: {"runs": {run: [asdict(one) for one in done] for run, done in figure.runs.items()}}
        for name, figure in measured.items()
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    say(f"written to {given.json}")
    return 0


def _arguments() -> argparse.Namespace:
    scenarios = [scenario.name for scenario in FULL]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the exporter beside others on an emulated estate.",
        epilog="Contenders: "
        + "; ".join(f"{name}: {one.about}" for name, one in CONTENDERS.items()),
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat")
    parser.add_argument(
        "--repeats", type=int, help="the number of runs, of which the median counts; default 3"
    )
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"), metavar="PATH")
    parser.add_argument(
        "--only",
        choices=("cloud", "oci"),
        default="cloud",
        help="the list API of the cloud (the default), or registries with the OCI API",
    )
    parser.add_argument(
        "--figure", action="append", choices=list(oci.FIGURES), help="only this one of --only oci"
    )
    parser.add_argument(
        "--scenario", action="append", choices=scenarios, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--contender", action="append", choices=list(CONTENDERS), help="only this; may be repeated"
    )
    given = parser.parse_args()
    given.scenario = given.scenario or scenarios
    given.contender = given.contender or list(CONTENDERS)
    given.repeats = given.repeats or (1 if given.quick else 3)
    return given


if __name__ == "__main__":
    sys.exit(main())
