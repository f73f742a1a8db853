"""A load on a terminal: its progress in one line, and its result in a few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from exporter.cli.terminal.tables import new_table
from exporter.figures import duration, share
from exporter.wording import number

if TYPE_CHECKING:
    from exporter.load.loader import LoadResult
    from exporter.load.progress import LoadProgress
    from exporter.settings import Settings


class LiveLoad:
    """Shows a load's figures on a console; log events appear above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("dots", style="cyan")

    @contextmanager
    def __call__(self, progress: LoadProgress) -> Iterator[None]:
        """Show the figures during the block, then leave no trace of them."""
        with Live(
            console=self._console,
            get_renderable=lambda: self._render(progress),
            transient=True,
            redirect_stdout=False,
        ):
            yield

    def _render(self, now: LoadProgress) -> Table:
        line = Table.grid(padding=(0, 1))
        said = "Opening the warehouse"
        if now.snapshot_id:
            said = (
                f"Loading {now.snapshot_id} ({min(len(now.loaded) + 1, now.snapshots):,} of "
                f"{now.snapshots:,}): {now.table} · {now.rows:,} of "
                f"{number(now.rows_known, 'row')} ({share(now.rows, now.rows_known)})"
            )
        line.add_row(
            self._spinner,
            Text(said, no_wrap=True, overflow="ellipsis"),
            Text(duration(now.clock.seconds), style="dim"),
        )
        return line


def show_load(console: Console, result: LoadResult, settings: Settings) -> None:
    """Print what was loaded and removed, and what was left out because it is partial."""
    if result.loaded:
        table = new_table("snapshot", "status", "rows", "time", right=("rows", "time"))
        for one in result.loaded:
            rows = f"{sum(one.rows.values()):,}"
            table.add_row(one.snapshot_id, one.status, rows, duration(one.seconds))
        console.print(table)
    into = _tables_of(result, settings)
    console.print(f"{number(len(result.loaded), 'snapshot')} loaded into {into}.", soft_wrap=True)
    _show_rest(console, result, "removed")


def show_dry_run(console: Console, result: LoadResult, settings: Settings) -> None:
    """Print what would be loaded and removed."""
    if result.planned:
        table = new_table("snapshot", "status", "rows", right=("rows",))
        for one in result.planned:
            rows = sum(entry.rows for entry in one.manifest.tables.values())
            table.add_row(one.manifest.snapshot_id, one.manifest.status, f"{rows:,}")
        console.print(table)
    into = _tables_of(result, settings)
    count = number(len(result.planned), "snapshot")
    console.print(f"{count} would be loaded into {into}.", soft_wrap=True)
    _show_rest(console, result, "would be removed")


def _tables_of(result: LoadResult, settings: Settings) -> str:
    """Return where the tables are; the name of an Iceberg catalog may have their namespace."""
    to = settings.load.to
    if to is not None and to.kind == "iceberg" and "/" in result.warehouse:
        return result.warehouse
    return f"{result.warehouse}, schema {settings.load.warehouse_schema}"


def _show_rest(console: Console, result: LoadResult, verb: str) -> None:
    if result.removed:
        console.print(
            f"{number(len(result.removed), 'snapshot')} {verb}, which the output does not have "
            f"any more: {', '.join(result.removed)}.",
            soft_wrap=True,
        )
    left_out = len(result.selection.partial)
    if left_out:
        console.print(
            f"{number(left_out, 'partial snapshot')} left out; --partial loads "
            f"{'it' if left_out == 1 else 'them'} too.",
            soft_wrap=True,
        )
