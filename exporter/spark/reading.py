"""One partition's crawl, in a task's own process and event loop."""

from __future__ import annotations

from pathlib import Path

from exporter.spark.partitions import PartitionResult, PartitionSpec, SettingsReference, Share


def read_partition(
    spec: PartitionSpec,
    settings: SettingsReference,
    share: Share,
    folder: Path,
    *,
    attempt: str,
) -> PartitionResult:
    """List one partition into `folder`, which is this attempt's own, and return what it did.

    The parts are `folder`/parquet/<table>/part-00000.parquet and so on, closed and durable when
    this returns; a table without rows has none. The folder is made, and must be empty. Its other
    files are gone at the end. On an error the parts that there are have no meaning. A task runs
    within its share of the limits, and memory is bounded whatever the partition holds.

    A listing that fails for good does not raise: `listings` says how it went. Raises what ends the
    whole run: `OutageError`, `CredentialsError`, `SettingsError` and `OutputError`.
    """
    raise NotImplementedError
