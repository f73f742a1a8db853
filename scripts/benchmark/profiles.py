"""The CPU seconds of each step of an export, as medians, beside those that were kept before.

They are kept as multiples of the floor's CPU seconds in the same session, because seconds of two
machines, or of two days, cannot be compared.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.contenders import CONTENDERS
from benchmark.emulated import Cloud, emulated
from benchmark.measure import Measured, measure
from benchmark.profiled import ORDER
from benchmark.report import table
from benchmark.runner import BenchmarkError, Say
from benchmark.scenarios import Scenario

KEPT = Path(__file__).with_name("profiles.json")
"""The profiles that are kept with the code, one for each change worth it, the oldest first."""


@dataclass(frozen=True)
class Profile:
    """The steps of an export of one scenario.

    Attributes:
        scenario: Its name.
        images: The images of its estate.
        commit: The code that was measured.
        day: The day, as YYYY-MM-DD.
        floor: Median CPU seconds of the floor.
        steps: Median CPU seconds of each step.

    """

    scenario: str
    images: int
    commit: str
    day: str
    floor: float
    steps: Mapping[str, float]

    def multiples(self) -> dict[str, float]:
        """Return each step's CPU as a multiple of the floor's."""
        return {name: seconds / self.floor for name, seconds in self.steps.items()}


def run_profile(scenario: Scenario, repeats: int, say: Say) -> Profile:
    """Profile exports of the scenario's estate; raises `BenchmarkError`."""
    floors: list[float] = []
    profiles: list[dict[str, float]] = []
    with emulated(scenario) as cloud:
        # The first turn fills the emulator's page cache.
        for number in range(repeats + 1):
            floor, _ = _turn(cloud, scenario, "floor")
            whole, steps = _turn(cloud, scenario, "exporter")
            say(f"{scenario.name}: profile {number or 'of a warm-up'}: {whole:.2f} CPU s")
            if number:
                floors.append(floor)
                profiles.append({**steps, "end": max(0.0, whole - sum(steps.values()))})
    names = {name for steps in profiles for name in steps}
    medians = {
        name: statistics.median(steps.get(name, 0.0) for steps in profiles) for name in names
    }
    return Profile(
        scenario=scenario.name,
        images=cloud.images,
        commit=_commit(),
        day=datetime.now(UTC).date().isoformat(),
        floor=statistics.median(floors),
        steps={name: medians[name] for name in sorted(names, key=_place)},
    )


def profile_table(profile: Profile) -> str:
    """Return a profile as a Markdown table, beside the one that was kept last."""
    before = next((one for one in reversed(kept()) if one["scenario"] == profile.scenario), None)
    earlier = before["multiples"] if before else {}
    rows = [
        [name, f"{seconds:.2f}", f"{seconds / profile.floor:.3f}", _shown(earlier.get(name))]
        for name, seconds in profile.steps.items()
    ]
    whole = sum(profile.steps.values())
    rows.append(
        [
            "whole run",
            f"{whole:.2f}",
            f"{whole / profile.floor:.3f}",
            _shown(sum(earlier.values()) if earlier else None),
        ]
    )
    title = f"## CPU of an export's steps: {profile.scenario}, {profile.images:,} images"
    head = ["step", "CPU s", "÷ floor", f"÷ floor at {before['commit'] if before else 'none'}"]
    return "\n".join([title, "", *table(head, rows)])


def kept() -> list[dict[str, Any]]:
    """Return the profiles that are kept with the code."""
    profiles: list[dict[str, Any]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return profiles


def keep(profile: Profile) -> None:
    """Keep a profile with the code, in place of an earlier one of the same commit."""
    content = asdict(profile) | {"multiples": profile.multiples()}
    del content["steps"]
    others = [
        one
        for one in kept()
        if (one["scenario"], one["commit"]) != (profile.scenario, profile.commit)
    ]
    KEPT.write_text(json.dumps([*others, content], indent=1) + "\n", encoding="utf-8")


def _turn(cloud: Cloud, scenario: Scenario, name: str) -> tuple[float, dict[str, float]]:
    """Run a contender once; return its CPU seconds, and those of its steps."""
    folder = Path(tempfile.mkdtemp(prefix="registry-profile-"))
    steps, log = folder / "steps.json", folder / "log.txt"
    try:
        command = CONTENDERS[name].command(cloud, scenario, folder)
        if name == "exporter":
            program = command.index("exporter")
            command[program : program + 1] = ["benchmark.profiled", str(steps)]
        cost: Measured = measure(command, log, os.environ)
        if cost.exit_code != 0:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise BenchmarkError(f"{name} ended with {cost.exit_code}:\n{tail}")
        told = json.loads(steps.read_text(encoding="utf-8")) if steps.exists() else {}
        return cost.user + cost.system, told
    finally:
        shutil.rmtree(folder)


def _place(name: str) -> tuple[int, str]:
    return ORDER.index(name.partition(":")[0]), name


def _shown(multiple: float | None) -> str:
    return "" if multiple is None else f"{multiple:.3f}"


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    return described.stdout.strip() or "unknown"
