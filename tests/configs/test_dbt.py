"""The dbt project in configs/dbt, built by the real dbt over published snapshots."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter import open_snapshot
from exporter.snapshots.layout import manifest_path
from tests.answers.estates import publish_estate
from tests.derive.estates import START, Blob, Image, World, digest

PROJECT = Path(__file__).parents[2] / "configs" / "dbt"
DBT = Path(sys.prefix) / "pipelines" / "bin" / "dbt"
"""In an environment of its own: `scripts/test` makes it."""
MEASURES = ("image_count", "stored_size", "logical_size", "exclusive_size", "untagged_size")
HOUR = timedelta(hours=1)


class Warehouse:
    """A folder with an output and the database that dbt makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "snapshots"
        self.database = folder / "warehouse.duckdb"

    def publish(self, snapshot_id: str, images: int, hours: int, status: str = "complete") -> None:
        """Publish a snapshot with so many images, started so many hours after `START`."""
        world = World(
            images=tuple(
                Image(f"i{one}", f"r{one % 2}/app", (Blob(digest(one), 10 + one),), tags=("v1",))
                for one in range(images)
            ),
            registries=(("r0", "f", "c"), ("r1", "f", "c")),
            coverage=(("images", "r0", status),),
        )
        publish_estate(self.output, snapshot_id, world, started_at=START + hours * HOUR)

    def build(self) -> None:
        """Run what the project's first lines name; all its tests must hold."""
        command = f"{DBT} --no-send-anonymous-usage-stats build --project-dir {PROJECT} "
        command += f"--profiles-dir {PROJECT} --target-path {self.folder}/target "
        command += f"--log-path {self.folder}/logs"
        inventory = {"INVENTORY": str(self.output), "INVENTORY_WAREHOUSE": str(self.database)}
        done = subprocess.run(
            shlex.split(command),
            env=os.environ | inventory,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def sizes(self) -> dict[tuple[str, str, str], tuple[Any, ...]]:
        """Return the measures by snapshot and scope, as the incremental model has them."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            rows = connection.execute(
                f"SELECT day::VARCHAR, snapshot_id, scope, scope_id, {', '.join(MEASURES)} "
                "FROM sizes_by_day"
            ).fetchall()
        assert len({(day, *scope) for day, _, *scope in (row[:4] for row in rows)}) == len(rows)
        return {(row[1], row[2], row[3]): row[4:] for row in rows}

    def truth(self, snapshot_id: str) -> dict[tuple[str, str, str], tuple[Any, ...]]:
        """Return the same from the files of a snapshot."""
        with open_snapshot(str(self.output), snapshot_id) as snapshot:
            rows = snapshot.dataset("size_totals").to_table().to_pylist()
        return {
            (snapshot_id, row["scope"], row["scope_id"]): tuple(row[one] for one in MEASURES)
            for row in rows
        }


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def test_a_day_is_its_last_complete_snapshot_and_stays_after_a_prune(warehouse: Warehouse) -> None:
    warehouse.publish("morning", 4, hours=0)
    warehouse.publish("2026-01-01", 6, hours=2)  # A name that a reader takes for a date.
    warehouse.publish("torn", 3, hours=4, status="failed")
    warehouse.publish("next", 5, hours=30)
    warehouse.build()
    first = warehouse.truth("2026-01-01")
    assert first["2026-01-01", "total", "*"][0] == 6
    assert warehouse.sizes() == first | warehouse.truth("next")

    (warehouse.output / manifest_path("2026-01-01")).unlink()
    warehouse.publish("evening", 8, hours=34)
    warehouse.build()
    assert warehouse.sizes() == first | warehouse.truth("evening")
