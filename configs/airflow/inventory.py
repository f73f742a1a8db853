"""An Airflow DAG: every night an inventory is taken and checked, loaded, and old ones removed.

Put this file into the folder of DAGs of Airflow 3, and install registry-exporter, with the extra of
the warehouse, where the workers run tasks. The settings name the output and the warehouse
(`load.to`). Each task goes on from what is on disk, so Airflow may repeat any of them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from airflow.sdk import dag, task

from exporter import Settings, export, prune, verify
from exporter.load import load

SETTINGS = "/etc/registry-exporter/cron.yaml"


@dag(
    schedule="17 2 * * *",
    catchup=False,
    max_active_runs=1,
    # A repeated task resumes the export that stopped.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
)
def inventory() -> None:
    """Take an inventory of the registries."""

    @task
    def take() -> str:
        """Export the snapshot, and return its id; it may be partial."""
        return asyncio.run(export(Settings.from_file(SETTINGS))).snapshot_id

    @task
    def check(snapshot_id: str) -> None:
        """Verify the snapshot."""
        problems = verify(Settings.from_file(SETTINGS), snapshot_id)
        if problems:
            raise RuntimeError(f"Snapshot {snapshot_id}: {problems[0]}")

    @task
    def feed() -> list[str]:
        """Load every complete snapshot that the warehouse lacks, and return their ids."""
        result = load(Settings.from_file(SETTINGS))
        if result.unloaded:
            raise RuntimeError(str(result.unloaded[0][1]))
        return [one.snapshot_id for one in result.loaded]

    @task
    def tidy() -> list[str]:
        """Remove the snapshots that `prune` does not keep, and return their ids."""
        choice = asyncio.run(prune(Settings.from_file(SETTINGS), keep_daily=30))
        return list(choice.remove)

    check(take()) >> feed() >> tidy()


inventory()
