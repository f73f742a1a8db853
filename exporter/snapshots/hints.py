"""What the last complete snapshot lets a new run expect; a hint, never a fact."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import structlog

from exporter.errors import ExporterError
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest
from exporter.storage.destination import Destination

log = structlog.get_logger()


def image_counts(destination: Destination) -> dict[str, int]:
    """Return images per registry as the newest complete snapshot counted them.

    Empty where there is none, or where it cannot be read: a run must not fail for a hint.
    """
    try:
        data = destination.read(LATEST)
        if data is None:
            return {}
        files = Manifest.parse(data).tables["size_totals"].files
        counts: dict[str, int] = {}
        with tempfile.TemporaryDirectory() as working:
            for file in files:
                if file.format == "parquet":
                    with destination.fetched(file.path, Path(working)) as path:
                        counts.update(_registries(path))
    except (ExporterError, OSError, KeyError, ValueError) as error:
        log.debug("no_hints", reason=str(error))
        return {}
    return counts


def _registries(path: Path) -> dict[str, int]:
    columns = ["scope", "scope_id", "image_count"]
    only = [("scope", "=", "registry")]
    # The path has `snapshot_id=…` in it, and perhaps more of the kind, which are no columns.
    table = pq.read_table(path, columns=columns, filters=only, partitioning=None)
    ids, counts = table.column("scope_id"), table.column("image_count")
    return dict(zip(ids.to_pylist(), counts.to_pylist(), strict=True))
