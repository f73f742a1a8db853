"""What is measured of registries: each figure is a table to read, and the targets that it shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.oci.emulated import Emulated, emulated
from benchmark.oci.estate import repositories
from benchmark.oci.real import docker_registry
from benchmark.oci.runs import SLOTS, Run, export, folder, median, other
from benchmark.report import table
from benchmark.targets import Target

Say = Callable[[str], None]
LEVELS = (1, 2, 4, 8, 16, 32, 64)
"""The fixed numbers of calls at once that the limiter is compared with."""
RELEASES = ("[0-9]*",)
"""The tags of the emulator that never move: nineteen of twenty."""
LATENCY_MS = 50.0


@dataclass(frozen=True)
class Sizes:
    """How large the measured registries are, and how often each program runs."""

    limiter_repositories: int
    limiter_rounds: int
    nightly_repositories: int
    others_tags: int


FULL = Sizes(20, 3, 200, 200)
QUICK = Sizes(4, 1, 10, 20)


@dataclass(frozen=True)
class Figure:
    """A measured figure: its table, its targets, and every run."""

    text: str
    targets: tuple[Target, ...]
    runs: dict[str, list[Run]]


def limiter(sizes: Sizes, say: Say) -> Figure:
    """Compare the limiter with fixed numbers of calls at once, on docker-registry.

    The rounds are interleaved, and each run is an export without a cache.
    """
    runs: dict[int, list[Run]] = {level: [] for level in (*LEVELS, 0)}
    with docker_registry(repositories(sizes.limiter_repositories, 50)) as host:
        for number in range(sizes.limiter_rounds + 1):
            for level, done in runs.items():
                if not number and level:
                    continue  # The first run of all is not counted.
                with folder() as place:
                    run = export(host, place, level=level)
                if number:
                    done.append(run)
                    say(f"limiter: level {level or 'found'}, {number}: {run.seconds:.2f} s")

    def of(level: int, figure: Callable[[Run], float]) -> float:
        return median([figure(run) for run in runs[level]])

    kinds = ("manifests", "blobs")
    rows = [
        [
            str(level) if level else "found by the limiter",
            f"{of(level, lambda run: run.seconds):.2f}",
            f"{of(level, lambda run: run.listing):.2f}",
            f"{of(level, lambda run: run.calls / run.listing):.0f}",
            f"{of(level, lambda run: run.cpu):.2f}",
            *(
                f"{1000 * of(level, lambda run, kind=kind, part=part: run.share(kind, part)):.1f}"  # type: ignore[misc]
                for kind in kinds
                for part in (0.5, 0.99)
            ),
        ]
        for level in runs
    ]
    head = ["calls at once", "wall s", "of it calls", "calls a second", "CPU s"]
    head += [f"{kind} {part}, ms" for kind in kinds for part in ("median", "p99")]
    best = min(of(level, lambda run: run.seconds) for level in LEVELS)
    targets = [
        Target(
            "docker-registry: wall time, found level ÷ best fixed one",
            of(0, lambda run: run.seconds) / best,
            1.1,
            at_most=True,
        )
    ]
    targets += [
        Target(
            f"docker-registry: {kind}, p99 ÷ median at one call",
            of(0, lambda run, kind=kind: run.share(kind, 0.99))  # type: ignore[misc]
            / of(1, lambda run, kind=kind: run.share(kind, 0.5)),  # type: ignore[misc]
            10,
            at_most=True,
        )
        for kind in kinds
    ]
    tags = 50 * sizes.limiter_repositories
    title = f"## docker-registry on this machine: {tags:,} tags, no latency"
    named = {str(level or "found"): done for level, done in runs.items()}
    return Figure("\n".join([title, "", *table(head, rows)]), tuple(targets), named)


def nightly(sizes: Sizes, say: Say) -> Figure:
    """Export a registry of many tags for the first time, again, and with tags that never move."""
    count = sizes.nightly_repositories
    served = emulated(repositories=count, tags=50 * count, latency_ms=LATENCY_MS)
    with served as registry, folder() as place:
        cold = export(registry.host, place)
        say(f"nightly: cold {cold.seconds:.2f} s")
        registry.next_day()
        warm = export(registry.host, place)
        say(f"nightly: warm {warm.seconds:.2f} s")
        same = export(registry.host, place)
        frozen = export(registry.host, place, immutable=RELEASES)
        say(f"nightly: immutable tags {frozen.seconds:.2f} s")
    runs = {
        "cold": cold,
        "warm, 1% of the tags are new": warm,
        "warm, nothing is new": same,
        "warm, releases are immutable": frozen,
    }
    tags = 50 * count
    lists = count + 2  # `/v2/`, and the list of repositories.
    new = tags // 100
    # A moved tag names an image with a config, or an index of two.
    digests = new + new + new // 10 * 3
    rows = [
        [name, f"{run.seconds:.2f}", f"{run.cpu:.2f}", f"{run.peak_mb:.0f}", f"{run.calls:,}"]
        for name, run in runs.items()
    ]
    ideal = cold.calls * LATENCY_MS / 1000 / SLOTS
    targets = (
        Target(
            "nightly: cold, (wall - CPU) ÷ (calls × latency ÷ slots)",
            (cold.seconds - cold.cpu) / ideal,
            1.3,
            at_most=True,
        ),
        Target(
            "nightly: warm, calls ÷ (lists + tags + new digests)",
            warm.calls / (lists + tags + digests),
            1.01,
            at_most=True,
        ),
        Target(
            "nightly: immutable tags, calls ÷ calls of a warm run",
            frozen.calls / warm.calls,
            0.1,
            at_most=True,
        ),
    )
    title = f"## {tags:,} tags in {count} repositories, {LATENCY_MS:g} ms, {SLOTS} slots"
    head = ["run", "wall s", "CPU s", "peak MB", "calls"]
    text = "\n".join([title, "", *table(head, rows)])
    return Figure(text, targets, {name: [run] for name, run in runs.items()})


def others(sizes: Sizes, say: Say) -> Figure:
    """Compare a first export with skopeo and with a script, on one registry of the emulator."""
    count = max(1, sizes.others_tags // 50)
    with emulated(repositories=count, tags=sizes.others_tags, latency_ms=LATENCY_MS) as registry:
        runs = dict(_in_turn(registry, say))
    own = runs["exporter"]
    rows = [
        [
            name,
            f"{run.seconds:.1f}",
            f"{run.cpu:.1f}",
            f"{run.calls:,}",
            f"{run.seconds / own.seconds:.1f}",
        ]
        for name, run in runs.items()
    ]
    targets = tuple(
        Target(f"others: wall time, {name} ÷ exporter", run.seconds / own.seconds, 1, at_most=False)
        for name, run in runs.items()
        if name != "exporter"
    )
    title = f"## {sizes.others_tags} tags in {count} repositories, {LATENCY_MS:g} ms"
    head = ["program", "wall s", "CPU s", "calls", "wall ÷ exporter"]
    text = "\n".join([title, "", *table(head, rows)])
    return Figure(text, targets, {name: [run] for name, run in runs.items()})


def _in_turn(registry: Emulated, say: Say) -> Iterator[tuple[str, Run]]:
    module = [sys.executable, "-m"]
    programs: dict[str, Sequence[str]] = {
        "script over crane-like calls": [*module, "benchmark.oci.script", registry.host],
        "skopeo inspect": [*module, "benchmark.oci.skopeo", registry.host],
        "skopeo inspect --raw": [*module, "benchmark.oci.skopeo", registry.host, "--raw"],
    }
    with folder() as place:
        run = export(registry.host, place)
        say(f"others: exporter {run.seconds:.2f} s")
        yield "exporter", run
        for name, command in programs.items():
            before = registry.calls()
            run = other(command, Path(place) / "log.txt")
            say(f"others: {name} {run.seconds:.2f} s")
            yield name, _with_calls(run, registry.calls() - before)


def _with_calls(run: Run, calls: int) -> Run:
    return Run(run.seconds, run.cpu, run.peak_mb, calls)


FIGURES: dict[str, Callable[[Sizes, Say], Figure]] = {
    "limiter": limiter,
    "nightly": nightly,
    "others": others,
}
