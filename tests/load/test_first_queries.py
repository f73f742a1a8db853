"""The README's three first queries, in PostgreSQL and DuckDB, against what the nights hold."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.answers.estates import publish_estate
from tests.derive.estates import START, Blob, Image, World, digest
from tests.load.postgres import Server
from tests.load.warehouses import Target

README = Path(__file__).parents[2] / "README.md"
HOUR = timedelta(hours=1)
KEPT = [
    Image("i1", "r/app", (Blob(digest(1), 100),), tags=("v1",), digest=digest(11)),
    Image("i2", "r/web", (Blob(digest(1), 100), Blob(digest(2), 40)), digest=digest(12)),
]
NEW = [
    Image("i3", "r/app", (Blob(digest(3), 7),), tags=("v2",), digest=digest(13), created_at=None),
    Image("i4", "r/app", (Blob(digest(4), 9),), tags=("v3",), digest=digest(14), created_at=START),
]
LARGEST = [("r/web", 1, 140, 40), ("r/app", 3, 116, 0)]
NIGHTS = [(START, 2, 140, 40), (START + 2 * HOUR, 4, 156, 40)]
ADDED = [("r/app", digest(14), 9, START), ("r/app", digest(13), 7, None)]


def queries() -> list[str]:
    """Return the README's queries."""
    (block,) = re.findall(
        r"^```sql\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return [one for one in block.split(";\n") if one.strip()]


def test_the_first_queries_answer_alike(postgres: Server, tmp_path: Path) -> None:
    output = tmp_path / "snapshots"
    for name, images, hours, status in (
        ("first", KEPT, 0, "complete"),
        ("torn", NEW, 1, "failed"),
        ("second", [*KEPT, *NEW], 2, "complete"),
    ):
        world = World(
            images=tuple(images),
            registries=(("r", None, None),),
            coverage=(("images", "r", status),),
        )
        publish_estate(output, name, world, started_at=START + hours * HOUR)
    target = Target(postgres, "registry_inventory", output)
    target.load(partial=True)
    file = tmp_path / "warehouse.duckdb"
    target.load(partial=True, to=f"duckdb:{file}")

    in_postgres: list[list[tuple[Any, ...]]] = []
    in_duckdb: list[list[tuple[Any, ...]]] = []
    with postgres.connect("postgres") as server, duckdb.connect(file, read_only=True) as reader:
        reader.execute("SET TimeZone = 'UTC'")
        for query in queries():
            in_postgres.append(server.execute(query).fetchall())
            rows = reader.sql(query).to_arrow_table().to_pylist()
            in_duckdb.append([tuple(row.values()) for row in rows])
    assert in_postgres == [LARGEST, NIGHTS, ADDED]
    assert in_duckdb == in_postgres
