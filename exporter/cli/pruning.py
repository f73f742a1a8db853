"""Pruning as the terminal shows it: what stays and why, and what goes."""

from __future__ import annotations

import asyncio

from rich.text import Text

from exporter.cli.logs import configure_logs
from exporter.cli.options import LogFormat, LogLevel
from exporter.cli.outputs import open_existing
from exporter.cli.printing import new_table, result_console
from exporter.settings import Settings
from exporter.snapshots.prune import prune
from exporter.snapshots.retention import Choice, Policy
from exporter.staging.hold import hold
from exporter.staging.workspace import staged_ids, staging_root
from exporter.storage.destination import Destination
from exporter.wording import number


def prune_and_show(settings: Settings, policy: Policy, *, dry_run: bool, wait: float) -> None:
    """Prune under the output's lock and print what was chosen.

    An empty policy stands for that of the settings. Raises `SettingsError` if that is empty too,
    `LockedError` and `OutputError`.
    """
    configure_logs(LogFormat.CONSOLE, LogLevel.WARNING)
    keep = settings.output.keep
    if policy == Policy() and keep is not None:
        policy = Policy(**keep.model_dump())
    destination = open_existing(settings)
    if dry_run:
        choice = prune(destination, policy, dry_run=True)
    else:
        choice = asyncio.run(_prune(settings, destination, policy, wait))
    _show(choice, dry_run=dry_run)


async def _prune(
    settings: Settings, destination: Destination, policy: Policy, wait: float
) -> Choice:
    # Chosen before anything is written: a mistaken policy or place leaves no trace, a lock neither.
    prune(destination, policy, dry_run=True)
    named = settings.output.staging
    async with hold(destination, named, "prune", wait):
        staged = staged_ids(staging_root(destination, named))
        return await asyncio.to_thread(prune, destination, policy, staged=staged)


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
