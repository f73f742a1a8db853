"""What is unfinished at an output, in sentences."""

from __future__ import annotations

from exporter.cli.terminal.invocation import command
from exporter.errors import SettingsError
from exporter.settings import Settings
from exporter.staging.workspace import staged, staging_root
from exporter.storage.destination import Destination


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
