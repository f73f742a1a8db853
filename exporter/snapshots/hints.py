"""What a new run may expect, by the last complete snapshot; a hint, never a fact."""

from __future__ import annotations

import pyarrow.compute as pc
import structlog

from exporter.errors import ExporterError
from exporter.snapshots.selection import read_snapshot
from exporter.storage.destination import Destination

log = structlog.get_logger()


def registries_with_more(destination: Destination) -> set[str]:
    """Return the registries that had images of repositories that no list named.

    That is by the newest complete snapshot; empty if there is none, or if it cannot be read.
    """
    try:
        with read_snapshot(destination) as snapshot:
            if not any(file.format == "parquet" for file in snapshot.files("findings")):
                return set()
            unlisted = pc.field("kind") == "unlisted_repository"
            found = snapshot.read("findings", ["registry_id"], where=unlisted)
    except (ExporterError, OSError, ValueError) as error:
        log.debug("no_hints", reason=str(error))
        return set()
    return {one for one in found["registry_id"].to_pylist() if one is not None}


def image_counts(destination: Destination) -> dict[str, int]:
    """Return images per registry as the newest complete snapshot counted them.

    Empty if there is none, or if it cannot be read: a run must not fail for a hint.
    """
    try:
        with read_snapshot(destination) as snapshot:
            if not any(file.format == "parquet" for file in snapshot.files("size_totals")):
                return {}
            columns = ["scope_id", "image_count"]
            is_registry = pc.field("scope") == "registry"
            counts = snapshot.read("size_totals", columns, where=is_registry)
    except (ExporterError, OSError, ValueError) as error:
        log.debug("no_hints", reason=str(error))
        return {}
    return dict(zip(*(counts[name].to_pylist() for name in columns), strict=True))
