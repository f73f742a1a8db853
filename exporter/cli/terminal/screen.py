"""What an export shows to a person on stderr: its progress, that of its load, and its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from exporter.cli.terminal.live import LiveProgress, can_show
from exporter.cli.terminal.loading import LiveLoad
from exporter.cli.terminal.summary import show_summary

if TYPE_CHECKING:
    from exporter.snapshots.highlights import Highlights
    from exporter.snapshots.manifest import Manifest


class Screen:
    """A person's terminal, or the file that they have stderr in."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self.is_live = can_show(self._console)
        """Whether lines can be renewed in place."""
        self.export = LiveProgress(self._console)
        self.load = LiveLoad(self._console)

    def summary(
        self, manifest: Manifest, found: Highlights | None, output: str, recalled_pages: int
    ) -> None:
        """Print what a run published, as `show_summary` does."""
        show_summary(self._console, manifest, found, output=output, recalled_pages=recalled_pages)
