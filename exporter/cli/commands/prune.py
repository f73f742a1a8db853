"""`prune`: remove old snapshots by a retention policy."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.failures import reported


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
        int | None, typer.Option(metavar="N", min=1, help="Keep the newest N partial ones.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be kept and removed.")
    ] = False,
    config: options.Config = None,
    output: options.Output = None,
    wait: options.Wait = None,
    debug: options.Debug = False,
) -> None:
    """Remove the complete snapshots that no rule keeps, and what killed runs left behind.

    Days, weeks and months are those in UTC that have a snapshot. Without any rule, those of the
    settings hold (output.keep). The newest complete snapshot always stays, and so does a partial
    one until a complete one has come after it, or N partial ones. Snapshots of another source or
    scope than the output's own stay.

    \b
    Examples:
      registry-exporter prune --keep-last 7 --keep-monthly 12 --dry-run
      registry-exporter prune --keep-daily 30 --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.pruning import prune_and_show  # noqa: PLC0415
        from exporter.settings import READING, load_settings  # noqa: PLC0415
        from exporter.snapshots.retention import Policy  # noqa: PLC0415

        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        policy = Policy(keep_last, keep_daily, keep_weekly, keep_monthly, keep_partial)
        prune_and_show(settings, policy, dry_run=dry_run, wait=options.seconds(wait))
