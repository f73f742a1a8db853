"""Where things are in an output: the names of a snapshot's published files (`tables/README.md`)."""

from __future__ import annotations

from exporter.staging.layout import Format

LATEST = "manifests/latest.json"


def published_path(snapshot_id: str, table: str, name: str, format_: Format) -> str:
    """Return where a part is published, relative to the destination."""
    return f"{format_}/{table}/snapshot_id={snapshot_id}/{name}"


def manifest_path(snapshot_id: str) -> str:
    """Return where a snapshot's manifest is, relative to the destination."""
    return f"manifests/{snapshot_id}.json"
