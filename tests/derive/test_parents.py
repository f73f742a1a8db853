"""Parents that are learned late are in every row, and what has them is left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.derive.parents import fill_parents
from exporter.staging.parquet import write_table
from exporter.tables.schemas import TABLES

Rows = list[dict[str, Any]]


def write(staging: Path, **tables: Rows) -> None:
    for name, rows in tables.items():
        write_table(staging, TABLES[name], [pa.Table.from_pylist(rows, schema=TABLES[name].schema)])


def part(staging: Path, table: str) -> Path:
    return staging / "parquet" / table / "part-00000.parquet"


def parents(staging: Path, table: str) -> list[tuple[str, str | None, str | None]]:
    rows = pq.read_table(part(staging, table)).to_pylist()
    return [(row["registry_id"], row["folder_id"], row["cloud_id"]) for row in rows]


def row(registry: str, folder: str | None, cloud: str | None, **more: Any) -> dict[str, Any]:
    return {"registry_id": registry, "folder_id": folder, "cloud_id": cloud, **more}


def test_rows_kept_before_their_parents_were_known_get_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        registries=[row("r1", "f1", "c1"), row("r2", "f2", None), row("r3", None, None)],
        repositories=[
            row("r1", None, None, repository_name="r1/a"),
            row("r2", "f2", None, repository_name="r2/a"),
        ],
        images=[
            row("r3", None, None, image_id="i1", tags=["v1"]),
            row("r1", None, None, image_id="i2", compressed_size=2**60),
            row("r1", "f1", None, image_id="i3"),
        ],
    )
    before = pq.read_table(part(tmp_path, "images")).drop(["folder_id", "cloud_id"])
    fill_parents(tmp_path)
    assert parents(tmp_path, "repositories") == [("r1", "f1", "c1"), ("r2", "f2", None)]
    assert parents(tmp_path, "images") == [
        ("r3", None, None),
        ("r1", "f1", "c1"),
        ("r1", "f1", "c1"),
    ]
    assert pq.read_table(part(tmp_path, "images")).drop(["folder_id", "cloud_id"]) == before


def test_parts_that_lack_nothing_that_is_known_are_not_written_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        registries=[row("r1", "f1", "c1")],
        repositories=[row("r1", "f1", "c1", repository_name="r1/a")],
        images=[row("r1", "f1", "c1", image_id="i1")],
    )
    before = part(tmp_path, "images").stat()
    fill_parents(tmp_path)
    assert part(tmp_path, "images").stat().st_ino == before.st_ino
