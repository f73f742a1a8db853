"""Writes what psql runs: `python -m benchmark.psql_scripts OUTPUT FOLDER`.

FOLDER gets `csv.sql` and `binary.sql`. Each makes every table of the newest snapshot in OUTPUT with
the columns that a load gives it, copies the file of its rows, and builds the keys and indexes of a
load. It prints the names of the tables as JSON. It is a program of its own, so that the measuring
process stays small.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from exporter import open_snapshot
from exporter.load.postgresql.statements import create_table, identifier
from exporter.load.tables import WarehouseTable, tables_of


def main() -> None:
    """Write the scripts and print the names."""
    output, folder = sys.argv[1:]
    with open_snapshot(output) as snapshot:
        tables = tables_of(snapshot)
    for format_ in ("csv", "binary"):
        lines = [line for table in tables for line in _lines(table, Path(folder), format_)]
        (Path(folder) / f"{format_}.sql").write_text("\n".join(lines), encoding="utf-8")
    print(json.dumps({"tables": [table.name for table in tables]}))


def _lines(table: WarehouseTable, folder: Path, format_: str) -> list[str]:
    create, *rest = create_table("public", table)
    build = [one for one in rest if not one.startswith("COMMENT")]
    copy = (
        f"\\copy {identifier(table.name)} FROM '{folder / table.name}.{format_}' (FORMAT {format_})"
    )
    return [f"{create.partition(' PARTITION BY')[0]};", copy, *(f"{one};" for one in build)]


if __name__ == "__main__":
    main()
