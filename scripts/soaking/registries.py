"""The world of a seed for `--kind oci`: an emulated registry, its quirks and faults, its nights."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.emulator import Fault, Faults
from exporter.emulator.oci import FAULTS, PASSWORD, USER, Behaviour, Oddity, Quirk, Shape, preset
from exporter.emulator.oci.behaviour import DENIED, EMPTY, LISTS
from soaking.night import SoakError, Tally
from soaking.reader import Reader
from tests.oci.emulated import Emulated, assert_true
from tests.oci.exports import ROOT, command
from tests.oracle.snapshots import read_snapshot, snapshot_ids

_STOPS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {143, -15}, signal.SIGINT: {130, -2}}
_MOST_STOPS = 4
_USUAL_SECONDS = 4.0
_IN_TIME = 60.0
_LIMIT = 600.0
_OF_CONTENT = (
    Quirk.JUNK_TAGS,
    Quirk.NO_DIGEST,
    Quirk.WRONG_DIGEST,
    Quirk.HEAD_429,
    Quirk.HEAD_405,
    Quirk.WRONG_CONTENT,
)
_OF_ALL = (
    Quirk.CATALOG_SLOW,
    Quirk.ODD_CHALLENGES,
    Quirk.PLACEHOLDER_SCOPE,
    Quirk.ACCESS_TOKEN,
    Quirk.EXPIRED_400,
    Quirk.RETRY_AT,
    Quirk.REDIRECTS,
)
# Their bodies are larger than what this machine should be given again and again.
_KINDS = sorted(FAULTS - {Fault.OVERSIZE, Fault.GZIP_BOMB})
_MOST_FAULTS = 0.1


@dataclass(frozen=True)
class RegistryWorld:
    """The world of one seed; `about` describes it in a line."""

    seed: int
    shape: Shape
    behaviour: Behaviour
    faults: Faults
    concurrency: int
    nights: int
    about: str


def draw(seed: int) -> RegistryWorld:
    """Return the world of a seed, always the same for the same seed."""
    chance = random.Random(f"registry {seed}")
    behaviour = _behaviour(chance, seed)
    shape = preset(
        "odd",
        seed=seed,
        repositories=chance.choice([3, 20, 60]),
        tags=chance.choice([60, 200, 500]),
        indexes=chance.choice([0, 20, 60]),
    )
    shape = replace(shape, skew=chance.choice([0.0, 1.0]), moved=chance.choice([0.01, 0.05]))
    if Quirk.EXPIRED_400 in behaviour.quirks:
        # A HEAD has no body that tells an expired token from another 400, and these need a HEAD.
        shape = shape.with_oddities({Oddity.SCHEMA1: 0.0})
    kinds = chance.sample(_KINDS, chance.choice([0, 1, 3, 6]))
    rates = {kind.value: chance.uniform(0.002, _MOST_FAULTS / len(kinds)) for kind in kinds}
    # A token is good for more calls than there are at once.
    concurrency = chance.choice([1, 4, 8])
    about = (
        f"{shape.repositories} repositories, {shape.tags} tags, {behaviour.flavor}, "
        f"{behaviour.access}, {concurrency} slots, "
        f"quirks: {', '.join(sorted(behaviour.quirks)) or 'none'}, "
        f"faults: {', '.join(sorted(rates)) or 'none'}"
    )
    faults = Faults(rates, seed=seed, drip_seconds=0.01, drip_bytes=512)
    return RegistryWorld(
        seed, shape, behaviour, faults, concurrency, chance.choice([1, 2, 3]), about
    )


def _behaviour(chance: random.Random, seed: int) -> Behaviour:
    is_harbor = chance.random() < 0.25
    some = chance.sample(_OF_CONTENT, chance.randrange(4))
    quirks = {quirk.value: chance.uniform(0.1, 0.5) for quirk in some}
    quirks |= dict.fromkeys(chance.sample(EMPTY, chance.randrange(3)), 0.4)
    quirks |= dict.fromkeys(chance.sample(LISTS, chance.randrange(5)), 0.2)
    quirks |= dict.fromkeys(chance.sample(_OF_ALL, chance.randrange(4)), 1.0)
    if chance.random() < 0.3 and not is_harbor:
        quirks |= dict.fromkeys(chance.sample(DENIED, 2), 0.1)
    return Behaviour(
        latency=chance.choice([0.0, 0.005, 0.02]),
        workers=chance.choice([None, None, 4]),
        access="token" if is_harbor else chance.choice(["anonymous", "basic", "token"]),
        token_calls=chance.choice([None, 12]),
        flavor="harbor" if is_harbor else "distribution",
        prefix=chance.choice(["", "/base/path"]) if not is_harbor else "",
        most=chance.choice([100, 1000]),
        slow=0.5,
        quirks={str(name): share for name, share in quirks.items()},
        seed=seed,
    )


def spend(world: RegistryWorld, folder: Path) -> Tally:
    """Spend a seed's nights in an empty folder; raises `SoakError` and `AssertionError`."""
    chance = random.Random(f"disturbances {world.seed}")
    tally = Tally()
    with (
        Emulated(world.shape, world.behaviour, world.faults) as emulated,
        Reader(folder / "out") as reader,
    ):
        for number in range(world.nights):
            emulated.emulator.show(world.shape.on(2 * number))
            _one_night(world, emulated, folder, f"night-{number}", chance, tally)
            snapshot = read_snapshot(folder / "out", f"night-{number}")
            assert_true(snapshot, emulated, is_warm=number > 0)
    if reader.complaints:
        raise SoakError(f"a reader found that {reader.complaints[0]}")
    tally.counts["readings"] += reader.read
    return tally


def _one_night(
    world: RegistryWorld,
    emulated: Emulated,
    folder: Path,
    snapshot_id: str,
    chance: random.Random,
    tally: Tally,
) -> None:
    truth = emulated.emulator.truth("coverage")
    done = 3 if any(row["status"] == "denied" for row in truth or ()) else 0
    for _ in range(chance.randrange(_MOST_STOPS + 1)):
        number, seconds = chance.choice(_STOPS), chance.uniform(0.1, _USUAL_SECONDS)
        process = _start(world, emulated, folder, snapshot_id)
        threading.Event().wait(seconds)
        process.send_signal(number)
        try:
            code = process.wait(_IN_TIME)
        except subprocess.TimeoutExpired:
            raise SoakError(f"{number.name} did not end a run within {_IN_TIME} seconds") from None
        if code == done or (code == 2 and snapshot_id in snapshot_ids(folder / "out")):
            return
        tally.counts[number.name] += 1
        told = (folder / "stderr").read_text("utf-8")
        # A signal may come while Python itself begins.
        if code not in _CODES[number] and not told.startswith("Fatal Python error"):
            raise SoakError(f"{number.name} ended a run with {code}: {told[-2000:]}")
    code = _start(world, emulated, folder, snapshot_id).wait(_LIMIT)
    if code != done and not (code == 2 and snapshot_id in snapshot_ids(folder / "out")):
        told = (folder / "stderr").read_text("utf-8")
        raise SoakError(f"an undisturbed run ended with {code}: {told[-2000:]}")


def _start(
    world: RegistryWorld, emulated: Emulated, folder: Path, snapshot_id: str
) -> subprocess.Popen[bytes]:
    is_open = world.behaviour.access == "anonymous"
    alice = {} if is_open else {"username": USER, "password": PASSWORD}
    limits: dict[str, Any] = {"concurrency": world.concurrency, "request_timeout": 2.0}
    line, environment, _ = command(
        folder, {"registry": emulated.registry, **alice}, settings={"limits": limits}
    )
    with (folder / "stderr").open("wb") as told:
        return subprocess.Popen(
            [*line, "--snapshot-id", snapshot_id],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=told,
        )
