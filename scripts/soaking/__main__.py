"""`python -m soaking`: the soak on the command line; `scripts/soak` prepares it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from soaking.chance import draw
from soaking.night import spend


def main() -> int:
    """Soak for the time asked for; return 0, or 1 at the first seed that failed."""
    given = _arguments()
    began = time.monotonic()
    totals: Counter[str] = Counter()
    seed = given.seed
    while given.rounds is None or seed < given.seed + given.rounds:
        if given.minutes is not None and time.monotonic() - began > given.minutes * 60:
            break
        world = draw(seed)
        folder = Path(tempfile.mkdtemp(prefix=f"registry-soak-{seed}-"))
        started = time.monotonic()
        try:
            tally = spend(world, folder)
        except Exception:  # noqa: BLE001 - the soak looks for any failure
            traceback.print_exc()
            print(f"seed {seed} FAILED: {world.about}\nleft in {folder}", flush=True)
            print(f"replay it with: scripts/soak --seed {seed} --rounds 1", flush=True)
            return 1
        shutil.rmtree(folder)
        totals += tally.counts
        totals["nights"] += world.nights
        print(
            f"seed {seed}: {world.about}: {world.nights} nights, {tally or 'undisturbed'}: "
            f"ok in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        seed += 1
    print(f"{seed - given.seed} seeds from {given.seed} on held: {dict(sorted(totals.items()))}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Kill, stop and disturb exports of random estates; check what they publish.",
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed; default 1")
    parser.add_argument("--rounds", type=int, help="the most seeds; default: until the time is up")
    parser.add_argument("--minutes", type=float, help="time after which no seed begins")
    given = parser.parse_args()
    if given.rounds is None and given.minutes is None:
        given.minutes = 5.0
    return given


if __name__ == "__main__":
    sys.exit(main())
