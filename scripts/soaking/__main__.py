"""`python -m soaking`: the soak on the command line; `scripts/soak` prepares it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from soaking import chance, night, registries


def main() -> int:
    """Soak for the time asked for; return 0, or 1 at the first seed that failed."""
    given = _arguments()
    began = time.monotonic()
    totals: Counter[str] = Counter()
    seed = given.seed
    while given.rounds is None or seed < given.seed + given.rounds:
        if given.minutes is not None and time.monotonic() - began > given.minutes * 60:
            break
        folder = Path(tempfile.mkdtemp(prefix=f"registry-soak-{seed}-"))
        started = time.monotonic()
        about, nights, spend = _night_of(given.kind, seed)
        try:
            tally = spend(folder)
        except Exception:  # noqa: BLE001 - the soak looks for any failure
            traceback.print_exc()
            print(f"seed {seed} FAILED: {about}\nleft in {folder}", flush=True)
            print(
                f"replay it with: scripts/soak --kind {given.kind} --seed {seed} --rounds 1",
                flush=True,
            )
            return 1
        shutil.rmtree(folder)
        totals += tally.counts
        totals["nights"] += nights
        print(
            f"seed {seed}: {about}: {nights} nights, {tally or 'undisturbed'}: "
            f"ok in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        seed += 1
    print(f"{seed - given.seed} seeds from {given.seed} on held: {dict(sorted(totals.items()))}")
    return 0


def _night_of(kind: str, seed: int) -> tuple[str, int, Callable[[Path], night.Tally]]:
    """Return what a seed is about, how many nights it has, and what spends them in a folder."""
    if kind == "oci":
        registry = registries.draw(seed)
        return registry.about, registry.nights, partial(registries.spend, registry)
    world = chance.draw(seed)
    return world.about, world.nights, partial(night.spend, world)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Kill, stop and disturb exports of random estates; check what they publish.",
    )
    parser.add_argument("--kind", choices=["cloud", "oci"], default="cloud", help="what is listed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; default 1")
    parser.add_argument("--rounds", type=int, help="the most seeds; default: until the time is up")
    parser.add_argument("--minutes", type=float, help="time after which no seed begins")
    given = parser.parse_args()
    if given.rounds is None and given.minutes is None:
        given.minutes = 5.0
    return given


if __name__ == "__main__":
    sys.exit(main())
