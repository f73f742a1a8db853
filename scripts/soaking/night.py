"""The nights of a seed: runs that are killed, stopped and disturbed until each has finished."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from soaking.chance import World
from soaking.reader import Reader
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Process, Run
from tests.e2e.worlds import check_against, without_ids, world_of
from tests.oracle.snapshots import read_snapshot, snapshot_ids

MOST_STOPS = 6
"""The most early ends of one night's runs."""
_STOPS = (
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGINT,
)
# The signal ends Python itself, before the program can handle it.
_CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {143, -15}, signal.SIGINT: {130, -2}}
_NOT_BEGUN = "Fatal Python error: init_import_site"
"""Python's messages when a signal comes while it starts; it then exits with 1."""
_USUAL_SECONDS = 2.5
_IN_TIME = 60.0
"""Seconds within which a signal must end a run. The promise is five on a quiet machine, and a soak
may run on a busy one."""


class SoakError(AssertionError):
    """A promise that did not hold."""


@dataclass
class Tally:
    """The disturbances of a seed's runs."""

    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return them in words."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()) if count)


def spend(world: World, folder: Path) -> Tally:
    """Spend a seed's nights in an empty folder; raises `SoakError` and `AssertionError`."""
    chance = random.Random(f"disturbances {world.seed}")
    tally = Tally()
    with Cloud(world.shape, world.behaviour, world.faults) as cloud:
        exporter = Exporter(folder, cloud)
        with Reader(exporter.output) as reader:
            for number in range(world.nights):
                _one_night(world, exporter, f"night-{number}", chance, tally)
                _check(world, cloud, exporter, f"night-{number}")
            if not world.faults.spoilt:  # No rule of the command counts partial snapshots.
                _prune(exporter, chance, tally)
        if reader.complaints:
            raise SoakError(f"a reader found that {reader.complaints[0]}")
        tally.counts["readings"] += reader.read
    return tally


def _one_night(
    world: World, exporter: Exporter, snapshot_id: str, chance: random.Random, tally: Tally
) -> None:
    # Signals come at any moment, while Python begins itself as well.
    exporter.cold = True
    for _ in range(chance.randrange(MOST_STOPS + 1)):
        process = _start(world, exporter, snapshot_id)
        disturbed = chance.random() < 0.2
        if disturbed:
            _disturb(world, exporter, tally)
        number = chance.choice(_STOPS)
        run = _stop(process, number, chance.uniform(0.05, _USUAL_SECONDS))
        if run.code == world.code or _was_done(run, exporter, snapshot_id):
            return
        if run.code == 11 and disturbed:
            continue  # The other run was faster.
        tally.counts[number.name] += 1
        if run.code not in _CODES[number] and not run.stderr.startswith(_NOT_BEGUN):
            raise SoakError(f"{number.name} ended a run with {run.code}: {run.stderr[-2000:]}")
        if snapshot_id in snapshot_ids(exporter.output):
            # Its manifest existed already, so all of it must.
            read_snapshot(exporter.output, snapshot_id, _formats(world))
    exporter.cold = False
    run = _start(world, exporter, snapshot_id).wait()
    if run.code != world.code and not _was_done(run, exporter, snapshot_id):
        raise SoakError(f"an undisturbed run ended with {run.code}: {run.stderr[-2000:]}")


def _was_done(run: Run, exporter: Exporter, snapshot_id: str) -> bool:
    """Return whether a run found that the one before it was killed when everything was done."""
    return run.code == 2 and snapshot_id in snapshot_ids(exporter.output)


def _start(world: World, exporter: Exporter, snapshot_id: str) -> Process:
    return exporter.start(
        "--snapshot-id", snapshot_id, sections=world.sections, split_early=world.split_early
    )


def _stop(process: Process, number: signal.Signals, seconds: float) -> Run:
    threading.Event().wait(seconds)
    process.signal(number)
    try:
        return process.wait(_IN_TIME)
    except subprocess.TimeoutExpired:
        raise SoakError(f"{number.name} did not end a run within {_IN_TIME} seconds") from None


def _disturb(world: World, exporter: Exporter, tally: Tally) -> None:
    """Start another run on the same output: it is refused, unless the first has not started yet."""
    tally.counts["second runs"] += 1
    other = f"other-{tally.counts['second runs']}"
    run = exporter.run("--snapshot-id", other, sections=world.sections)
    if run.code not in (world.code, 11):
        raise SoakError(f"a second run ended with {run.code}: {run.stderr[-2000:]}")


def _check(world: World, cloud: Cloud, exporter: Exporter, snapshot_id: str) -> None:
    snapshot = read_snapshot(exporter.output, snapshot_id, _formats(world))
    status = "partial" if world.code else "complete"
    if snapshot.manifest["status"] != status:
        raise SoakError(f"{snapshot_id} is {snapshot.manifest['status']}")
    check_against(snapshot, *without_ids(world_of(cloud.estate), world.faults.spoilt))


def _prune(exporter: Exporter, chance: random.Random, tally: Tally) -> None:
    """Keep only the newest snapshot, with or without a kill in between."""
    arguments = ("prune", "--keep-last", "1", "--output", str(exporter.output))
    if chance.random() < 0.5:
        run = _stop(exporter.start_command(*arguments), signal.SIGKILL, chance.uniform(0.2, 1.0))
        tally.counts["killed prunes"] += int(run.code == -signal.SIGKILL)
    run = exporter.command(*arguments)
    if run.code != 0 or len(snapshot_ids(exporter.output)) != 1:
        raise SoakError(f"prune ended with {run.code} and left {snapshot_ids(exporter.output)}")


def _formats(world: World) -> tuple[str, ...]:
    return tuple(world.sections["output"]["formats"])
