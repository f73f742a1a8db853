"""What is unfinished at an output, in sentences."""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.cli.terminal.invocation import command
from exporter.errors import SettingsError
from exporter.settings import Settings
from exporter.snapshots.catalog import Catalog, published
from exporter.staging.unfinished import Published, Unfinished, Unreadable, leftovers
from exporter.staging.workspace import staging_root
from exporter.storage.destination import Destination


def unfinished(settings: Settings, destination: Destination, found: Catalog) -> list[str]:
    """Return a sentence for each snapshot that is staged and not published; raises `OutputError`.

    `found` is what the output holds. A run may be working on a snapshot: to find out would take
    that run's lock.
    """
    try:
        root = staging_root(destination, settings.output.staging)
    except SettingsError:
        return []  # Without a staging folder, nothing is staged.
    held = published(
        [info.snapshot_id for info in found.snapshots],
        [info for info in found.snapshots if info.status == "complete"],
    )
    sentences = []
    for one in leftovers(root, only_look=True):
        if isinstance(one, Unreadable):
            sentences.append(_unreadable(one))
        else:
            sentences.append(_unfinished(one, held, settings))
    return sentences


def _unreadable(one: Unreadable) -> str:
    ends = (
        "the next export discards it" if one.is_lasting else "whether it can be resumed is unknown"
    )
    return (
        f"Snapshot {one.path.name} is unfinished, and {one.reason}. If no run is working on it, "
        f"{ends}."
    )


def _unfinished(one: Unfinished, held: Published, settings: Settings) -> str:
    within = settings.output.resume_within
    # What was withheld does not age.
    since = one.started_at if one.is_withheld else datetime.now(UTC) - within
    outdated = one.outdated(held, since, within)
    if outdated:
        return (
            f"Snapshot {one.snapshot_id} is unfinished, and {outdated}. If no run is working on "
            "it, the next export discards it."
        )
    if one.is_withheld:
        return (
            f"Snapshot {one.snapshot_id} was not published, because it is implausibly small: run "
            "the same export with --accept-shrink to publish it as it is, or without it to list "
            "again."
        )
    line = ["export"]
    if one.snapshot_id in held.ids and not one.is_publishing:
        # A run without an id leaves it alone, for the id is taken.
        line += ["--snapshot-id", one.snapshot_id, "--replace"]
    return (
        f"Snapshot {one.snapshot_id} is unfinished. If no run is working on it, "
        f"`{command(*line)}` with the same settings resumes it, and --fresh starts over."
    )
