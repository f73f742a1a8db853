"""Where rows land: staging, parts, manifest, publishing, lock, retention and verification.

Knows no HTTP and no settings: what it needs is handed in as plain values. Verification
(`verify`, `verify_rows`) is imported where it is used, for an export has no need of it.
"""

from exporter.snapshot.catalog import (
    Catalog,
    SnapshotInfo,
    catalog,
    complete_manifests,
    read_manifest,
    snapshots,
)
from exporter.snapshot.destination import Destination
from exporter.snapshot.hints import image_counts
from exporter.snapshot.hold import hold
from exporter.snapshot.identity import describe, differences, identity
from exporter.snapshot.layout import StagedFile, first_free, new_snapshot_id
from exporter.snapshot.lock import Lock
from exporter.snapshot.manifest import Manifest, Requests, plain_row, type_name
from exporter.snapshot.ndjson import write_ndjson
from exporter.snapshot.parts import write_table
from exporter.snapshot.prune import prune, prune_partial
from exporter.snapshot.publish import check_free, planned, publish
from exporter.snapshot.retention import Choice, Kept, Policy
from exporter.snapshot.stage import Stage
from exporter.snapshot.staging import (
    Place,
    clean_up,
    discard,
    open_place,
    staged,
    staged_ids,
    staging_root,
)
from exporter.snapshot.withheld import withheld, withhold

__all__ = [
    "Catalog",
    "Choice",
    "Destination",
    "Kept",
    "Lock",
    "Manifest",
    "Place",
    "Policy",
    "Requests",
    "SnapshotInfo",
    "Stage",
    "StagedFile",
    "catalog",
    "check_free",
    "clean_up",
    "complete_manifests",
    "describe",
    "differences",
    "discard",
    "first_free",
    "hold",
    "identity",
    "image_counts",
    "new_snapshot_id",
    "open_place",
    "plain_row",
    "planned",
    "prune",
    "prune_partial",
    "publish",
    "read_manifest",
    "snapshots",
    "staged",
    "staged_ids",
    "staging_root",
    "type_name",
    "withheld",
    "withhold",
    "write_ndjson",
    "write_table",
]
