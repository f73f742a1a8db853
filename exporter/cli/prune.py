"""`prune`: remove old snapshots by a retention policy."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from exporter import published
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.cli.process.logs import configure_logs
from exporter.cli.process.messages import LogFormat, LogLevel
from exporter.cli.terminal.tables import new_table, result_console
from exporter.settings import READING, load_settings
from exporter.snapshots.retention import Choice
from exporter.wording import number

app = new_app()


@app.command()
def prune(
    keep_last: Annotated[int, typer.Option(metavar="N", min=0, help="Keep the newest N.")] = 0,
    keep_daily: Annotated[
        int, typer.Option(metavar="N", min=0, help="Keep the newest of each of the last N days.")
    ] = 0,
    keep_weekly: Annotated[
        int, typer.Option(metavar="N", min=0, help="Keep the newest of each of the last N weeks.")
    ] = 0,
    keep_monthly: Annotated[
        int, typer.Option(metavar="N", min=0, help="Keep the newest of each of the last N months.")
    ] = 0,
    keep_partial: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Keep the newest N that are partial or lack a vanished part."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be kept and removed.")
    ] = False,
    config: options.Config = None,
    output: options.Output = None,
    wait: options.Wait = None,
    debug: options.Debug = False,
) -> None:
    """Remove the complete snapshots that no rule keeps, and the remains of killed runs.

    Only days, weeks and months (in UTC) that have a snapshot count. Without any of the
    --keep rules, those of the settings apply (output.keep). The newest complete snapshot always
    stays. A partial one, or one of which a part vanished, stays until a complete one follows it,
    or N of them with --keep-partial N. Snapshots of another source or scope than the output's own
    stay.

    \b
    Examples:
      registry-exporter prune --keep-last 7 --keep-monthly 12 --dry-run
      registry-exporter prune --keep-daily 30 --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        configure_logs(LogFormat.CONSOLE, LogLevel.WARNING)
        choice = asyncio.run(
            published.prune(
                settings,
                keep_last=keep_last,
                keep_daily=keep_daily,
                keep_weekly=keep_weekly,
                keep_monthly=keep_monthly,
                keep_partial=keep_partial,
                dry_run=dry_run,
                wait=options.seconds(wait),
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
