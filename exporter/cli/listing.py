"""The list of snapshots, newest first."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from exporter.cli.printing import new_table, print_json, result_console
from exporter.cli.text import age, size
from exporter.snapshot import Destination, SnapshotInfo, snapshots

_STYLES = {"complete": "green", "partial": "yellow", "broken": "red"}
_FIGURES = ("images", "stored", "on disk")


def show_snapshots(url: str, *, as_json: bool) -> None:
    """Print the snapshots at a destination; raises `OutputError`."""
    destination = Destination.open(url)
    infos = snapshots(destination)
    if as_json:
        print_json([_content(info) for info in infos])
        return
    console = result_console()
    if not infos:
        console.print(f"There are no snapshots in {destination.url}.", markup=False, soft_wrap=True)
        return
    now = datetime.now(UTC)
    table = new_table("snapshot", "status", "age", *_FIGURES, "", right=_FIGURES)
    for info in infos:
        table.add_row(
            info.snapshot_id,
            Text(info.status, style=_STYLES[info.status]),
            age((now - info.started_at).total_seconds()) if info.started_at else "",
            "" if info.images is None else f"{info.images:,}",
            "" if info.stored_size is None else size(info.stored_size),
            "" if info.bytes is None else size(info.bytes),
            Text(info.reason) if info.reason else "latest" if info.is_latest else "",
        )
    console.print(table)


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
