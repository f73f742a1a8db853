"""Writes the transpiled scripts, or checks them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transpiling.scripts import SCRIPTS, transpiled

FOLDER = Path("exporter/sql")
SPARK = FOLDER / "spark"


def main() -> int:
    """Return the exit code: 1 if a check finds a script that is not what follows."""
    parser = argparse.ArgumentParser(prog="scripts/transpile", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    texts = {name: (FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in SCRIPTS}
    wanted = {SPARK / f"{name}.sql": text for name, text in transpiled(texts).items()}
    found = {path: path.read_text(encoding="utf-8") for path in SPARK.rglob("*.sql")}
    stale = sorted({path for path, _ in wanted.items() ^ found.items()})
    if check:
        for path in stale:
            print(f"{path} does not follow from DuckDB's script: run scripts/transpile.")
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
