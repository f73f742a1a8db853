"""The paths of a snapshot's published files in an output (`tables/README.md`)."""

from __future__ import annotations

from exporter.staging.layout import Format

LATEST = "manifests/latest.json"
REPORTS = "reports"


def published_path(snapshot_id: str, table: str, name: str, format_: Format) -> str:
    """Return a published part's path, relative to the destination."""
    return f"{format_}/{table}/snapshot_id={snapshot_id}/{name}"


def manifest_path(snapshot_id: str) -> str:
    """Return the path of a snapshot's manifest, relative to the destination."""
    return f"manifests/{snapshot_id}.json"


def report_path(snapshot_id: str) -> str:
    """Return the path of the report about a snapshot, relative to the destination.

    No manifest names it: an export writes it after the snapshot, if at all.
    """
    return f"{REPORTS}/{snapshot_id}.html"
