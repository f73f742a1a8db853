"""`list`: show the snapshots of an output."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.json_text import print_json
from exporter.cli.terminal.tables import new_table, result_console
from exporter.cli.unfinished import unfinished
from exporter.figures import age, size
from exporter.output import open_existing
from exporter.settings import READING, Settings, load_settings
from exporter.snapshots.catalog import Catalog, SnapshotInfo, catalog
from exporter.snapshots.identity import describe
from exporter.snapshots.latest import CORRECTED
from exporter.snapshots.layout import LATEST

_STYLES = {"complete": "green", "partial": "yellow", "broken": "red"}
_FIGURES = ("images", "stored", "on disk")

app = new_app()


@app.command(name="list")
def list_snapshots(
    config: options.Config = None,
    output: options.Output = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """List the snapshots: status, age, images, stored size, bytes on disk, source and scope.

    The newest complete one is marked as the latest if manifests/latest.json is a copy of its
    manifest. If that file is anything else, stderr says so. stderr also names the snapshots that
    are unfinished, or that were too small to publish. --json has source and scope in full.

    \b
    Examples:
      registry-exporter list --output ./snapshots
      registry-exporter list --config cron.yaml --json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        _show(settings, as_json=as_json)


def _show(settings: Settings, *, as_json: bool) -> None:
    """Print the snapshots at a destination, and to stderr its problems and unfinished snapshots.

    Raises `OutputError`, also for a folder that does not exist.
    """
    destination = open_existing(settings)
    found = catalog(destination)
    if as_json:
        print_json([_content(info) for info in found.snapshots])
    elif found.snapshots:
        _print(found)
    else:
        console = result_console()
        console.print(f"There are no snapshots in {destination.url}.", markup=False, soft_wrap=True)
    if found.latest_problem:
        messages.write(f"{LATEST}: {found.latest_problem}; {CORRECTED}.", event="problem")
    for sentence in unfinished(settings, destination, found):
        messages.write(sentence, event="problem")


def _print(found: Catalog) -> None:
    now = datetime.now(UTC)
    table = new_table("snapshot", "status", "age", *_FIGURES, "scope", "", right=_FIGURES)
    for info in found.snapshots:
        table.add_row(
            info.snapshot_id,
            Text(info.status, style=_STYLES[info.status]),
            age((now - info.started_at).total_seconds()) if info.started_at else "",
            "" if info.images is None else f"{info.images:,}",
            "" if info.stored_size is None else size(info.stored_size),
            "" if info.bytes is None else size(info.bytes),
            describe(info.source, info.scope) if info.status != "broken" else "",
            Text(", ".join(_remarks(info, found))),
        )
    result_console().print(table)


def _remarks(info: SnapshotInfo, found: Catalog) -> list[str]:
    """Return remarks on a snapshot, beyond its figures."""
    if info.reason:
        return [info.reason]
    remarks = []
    if info.snapshot_id == found.named:
        remarks.append("latest" if info.is_latest else "named by latest.json")
    if not info.is_own:
        remarks.append("not the output's own scope")
    if info.status == "complete" and not info.is_sound:
        remarks.append("a part vanished while it was listed")
    if info.from_future:
        remarks.append("from the future: a clock was wrong")
    return remarks


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
        "source": info.source or None,
        "scope": info.scope or None,
        "own_scope": info.is_own,
        "from_future": info.from_future,
    }
