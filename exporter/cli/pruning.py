"""Pruning as the terminal shows it: what stays and why, and what goes."""

from __future__ import annotations

import asyncio

from rich.text import Text

from exporter.cli.logs import configure_logs
from exporter.cli.options import LogFormat, LogLevel
from exporter.cli.printing import new_table, result_console
from exporter.published import prune
from exporter.settings import Settings
from exporter.snapshots.retention import Choice, Policy
from exporter.wording import number


def prune_and_show(settings: Settings, policy: Policy, *, dry_run: bool, wait: float) -> None:
    """Prune and print what was chosen; the arguments and errors are those of `prune`."""
    configure_logs(LogFormat.CONSOLE, LogLevel.WARNING)
    choice = asyncio.run(
        prune(
            settings,
            keep_last=policy.last,
            keep_daily=policy.daily,
            keep_weekly=policy.weekly,
            keep_monthly=policy.monthly,
            keep_partial=policy.partial,
            dry_run=dry_run,
            wait=wait,
        )
    )
    _show(choice, dry_run=dry_run)


def _show(choice: Choice, *, dry_run: bool) -> None:
    console = result_console()
    verb = "would be removed" if dry_run else "removed"
    table = new_table("snapshot", "", "why")
    for kept in choice.keep:
        table.add_row(kept.snapshot_id, "kept", ", ".join(kept.reasons))
    for snapshot_id in choice.remove:
        table.add_row(snapshot_id, Text(verb, style="yellow"), "no rule keeps it")
    if table.row_count:
        console.print(table)
        console.print()
    console.print(
        f"{number(len(choice.keep), 'snapshot')} kept, {len(choice.remove):,} {verb}.",
        soft_wrap=True,
    )
