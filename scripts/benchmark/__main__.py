"""`python -m benchmark`: the benchmark on the command line; `scripts/bench` prepares it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.contenders import CONTENDERS
from benchmark.loads import judge_loads, loads_table, run_loads
from benchmark.oci import figures as oci
from benchmark.profiles import keep, profile_table, run_profile
from benchmark.report import as_json, machine, scenario_table, target_table
from benchmark.runner import BenchmarkError, Result, Say, run_scenario
from benchmark.scenarios import FULL, QUICK
from benchmark.targets import Target, judge

Measured = tuple[dict[str, Any], list[Target]]
"""Of one kind: what was measured, for the file, and which targets were met."""


def main() -> int:
    """Run the benchmark, print the results and write them down; return the exit code.

    It is 0 if everything was measured, even if a target was missed, and 1 if a contender failed.
    """
    given = _arguments()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {text}", file=sys.stderr, flush=True)

    content: dict[str, Any] = {"quick": given.quick, "machine": machine()}
    targets: list[Target] = []
    for kind in ["profile"] if given.profile else given.only:
        try:
            content[kind], judged = KINDS[kind](given, say)
        except (BenchmarkError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        targets += judged
    if targets:
        print(target_table(targets))
    if given.quick:
        print("\nThese sizes show that the benchmark works; they are too small for a judgement.")
    content["targets"] = [{**asdict(target), "met": target.met} for target in targets]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    say(f"written to {given.json}")
    return 0


def _measure_cloud(given: argparse.Namespace, say: Say) -> Measured:
    """Measure exports over a cloud's list API beside other programs."""
    results: dict[str, Result] = {}
    for scenario in QUICK if given.quick else FULL:
        taking_part = [name for name in scenario.contenders if name in given.contender]
        if scenario.name in given.scenario and taking_part:
            result = run_scenario(scenario, taking_part, given.repeats, say)
            results[scenario.name] = result
            print(f"{scenario_table(result)}\n", flush=True)
    return as_json(results), judge(results)


def _measure_registries(given: argparse.Namespace, say: Say) -> Measured:
    """Measure the figures of OCI registries."""
    measured: dict[str, oci.Figure] = {}
    for name in given.figure:
        measured[name] = oci.FIGURES[name](oci.QUICK if given.quick else oci.FULL, say)
        print(f"{measured[name].text}\n", flush=True)
    content = {
        name: {"runs": {run: [asdict(one) for one in done] for run, done in figure.runs.items()}}
        for name, figure in measured.items()
    }
    return content, [target for one in measured.values() for target in one.targets]


def _measure_loads(given: argparse.Namespace, say: Say) -> Measured:
    """Measure loads into PostgreSQL beside other programs."""
    loads = run_loads(given.repeats, say, quick=given.quick)
    print(f"{loads_table(loads)}\n", flush=True)
    return asdict(loads), judge_loads(loads)


def _measure_steps(given: argparse.Namespace, say: Say) -> Measured:
    """Measure the CPU seconds of an export's steps."""
    content = {}
    for scenario in QUICK if given.quick else FULL:
        if scenario.name in given.profile:
            profile = run_profile(scenario, given.repeats, say)
            print(f"{profile_table(profile)}\n", flush=True)
            content[scenario.name] = asdict(profile)
            if given.keep:
                keep(profile)
    return content, []


KINDS: dict[str, Callable[[argparse.Namespace, Say], Measured]] = {
    "cloud": _measure_cloud,
    "oci": _measure_registries,
    "load": _measure_loads,
    "profile": _measure_steps,
}
OTHERS = [kind for kind in KINDS if kind != "profile"]
"""The kinds of a whole benchmark."""


def _arguments() -> argparse.Namespace:
    scenarios = [scenario.name for scenario in FULL]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure exports of a cloud and of OCI registries, and loads, beside others.",
        epilog="Contenders: "
        + "; ".join(f"{name}: {one.about}" for name, one in CONTENDERS.items()),
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat")
    parser.add_argument(
        "--repeats", type=int, help="the number of runs, of which the median counts; default 3"
    )
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"), metavar="PATH")
    parser.add_argument(
        "--profile",
        nargs="?",
        const="skewed",
        action="append",
        choices=scenarios,
        help="only the CPU seconds of each step of an export, of `skewed` or this scenario",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the profile with the code, for later changes"
    )
    for flag, choices, what in (
        ("--only", OTHERS, "this"),
        ("--scenario", scenarios, "this one of cloud"),
        ("--contender", list(CONTENDERS), "this one of cloud"),
        ("--figure", list(oci.FIGURES), "this one of oci"),
    ):
        parser.add_argument(
            flag, action="append", choices=choices, help=f"only {what}; may be repeated"
        )
    given = parser.parse_args()
    given.only = given.only or OTHERS
    given.scenario = given.scenario or [one.name for one in FULL if not one.only_by_name]
    given.contender = given.contender or list(CONTENDERS)
    given.figure = given.figure or list(oci.FIGURES)
    given.repeats = given.repeats or (1 if given.quick else 3)
    return given


if __name__ == "__main__":
    sys.exit(main())
