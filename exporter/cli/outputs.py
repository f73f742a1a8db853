"""The outputs that commands read: there, or told to be not there."""

from __future__ import annotations

from exporter.cli.invocation import command
from exporter.errors import OutputError, SettingsError
from exporter.links import broken_link
from exporter.output import open_output
from exporter.settings import Settings
from exporter.staging.workspace import staged, staging_root
from exporter.storage.destination import Destination
from exporter.storage.local import Folder


def open_existing(settings: Settings) -> Destination:
    """Open an output for reading; raises `OutputError` where a folder is not there.

    Of a bucket only its answers tell.
    """
    destination = open_output(settings)
    if isinstance(destination, Folder) and not destination.root.is_dir():
        root = destination.root
        what = broken_link(root) or (
            f"{root} is no folder" if root.exists() else f"there is no folder {root}"
        )
        raise OutputError(
            f"There are no snapshots to look at, for {what}: name the --output of an export, or "
            "run one first."
        )
    return destination


def unfinished(settings: Settings, destination: Destination) -> list[str]:
    """Return a sentence for each snapshot that is staged and not published; raises `OutputError`.

    Whether a run is at work on it cannot be told without standing in its way.
    """
    try:
        root = staging_root(destination, settings.output.staging)
    except SettingsError:
        return []  # Without a place to stage in, nothing is staged.
    return [
        _withheld(name) if is_withheld else _begun(name)
        for name, is_withheld in staged(root).items()
    ]


def _begun(name: str) -> str:
    return (
        f"Snapshot {name} is unfinished: unless a run is at work on it, `{command('export')}` with "
        "the settings it was begun with goes on with it, and --fresh starts over."
    )


def _withheld(name: str) -> str:
    return (
        f"Snapshot {name} was not published, for it is implausibly small: run the same export with "
        "--accept-shrink to publish it as it is, or without to list again."
    )
