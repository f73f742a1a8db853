"""The list of snapshots, newest first."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from exporter.cli.failures import complain
from exporter.cli.printing import new_table, print_json, result_console
from exporter.cli.text import age, size
from exporter.output import open_output
from exporter.settings import Settings
from exporter.snapshot import Catalog, SnapshotInfo, catalog
from exporter.snapshot.catalog import MENDED
from exporter.snapshot.layout import LATEST

_STYLES = {"complete": "green", "partial": "yellow", "broken": "red"}
_FIGURES = ("images", "stored", "on disk")


def show_snapshots(settings: Settings, *, as_json: bool) -> None:
    """Print the snapshots at a destination, and what is wrong with its `latest.json` to stderr.

    Raises `OutputError`.
    """
    destination = open_output(settings)
    found = catalog(destination)
    if as_json:
        print_json([_content(info) for info in found.snapshots])
    elif found.snapshots:
        _print(found)
    else:
        console = result_console()
        console.print(f"There are no snapshots in {destination.url}.", markup=False, soft_wrap=True)
    if found.latest_problem:
        complain(f"{LATEST}: {found.latest_problem}; {MENDED}.")


def _print(found: Catalog) -> None:
    now = datetime.now(UTC)
    table = new_table("snapshot", "status", "age", *_FIGURES, "", right=_FIGURES)
    for info in found.snapshots:
        named = "latest" if info.is_latest else "named by latest.json"
        table.add_row(
            info.snapshot_id,
            Text(info.status, style=_STYLES[info.status]),
            age((now - info.started_at).total_seconds()) if info.started_at else "",
            "" if info.images is None else f"{info.images:,}",
            "" if info.stored_size is None else size(info.stored_size),
            "" if info.bytes is None else size(info.bytes),
            Text(info.reason or (named if info.snapshot_id == found.named else "")),
        )
    result_console().print(table)


def _content(info: SnapshotInfo) -> dict[str, object]:
    return {
        "snapshot_id": info.snapshot_id,
        "status": info.status,
        "latest": info.is_latest,
        "started_at": info.started_at,
        "finished_at": info.finished_at,
        "images": info.images,
        "stored_size": info.stored_size,
        "bytes": info.bytes,
        "reason": info.reason or None,
    }
