"""A plan as the terminal shows it: the discovery, what it found, and the calls it leads to."""

from __future__ import annotations

import asyncio

from rich.text import Text

from exporter.cli.failures import complain
from exporter.cli.logs import configure_logs
from exporter.cli.options import LogFormat, LogLevel
from exporter.cli.printing import new_table, print_json, result_console
from exporter.cli.text import number
from exporter.crawl import Entry, Plan
from exporter.run import plan
from exporter.settings import Settings

PARTIAL = 3


def plan_and_show(settings: Settings, *, as_json: bool) -> int:
    """Discover what there is and print it; return 0, or 3 if something could not be listed."""
    configure_logs(LogFormat.CONSOLE, LogLevel.WARNING)
    planned = asyncio.run(plan(settings))
    entries = planned.ledger.entries()
    if as_json:
        print_json(_content(planned, entries))
    else:
        _print(planned, entries)
    missing = [entry for entry in entries if not entry.whole]
    for entry in missing:
        complain(f"{entry.listing} of {entry.parent_id}: {entry.status}: {entry.message}.")
    return PARTIAL if missing else 0


def _content(planned: Plan, entries: list[Entry]) -> dict[str, object]:
    return {
        "registries": planned.registries,
        "fewest_calls": planned.fewest_calls,
        "listings": [
            {
                "listing": entry.listing,
                "parent_id": entry.parent_id,
                "status": entry.status,
                "rows": entry.rows,
                "message": entry.message,
            }
            for entry in entries
        ],
    }


def _print(planned: Plan, entries: list[Entry]) -> None:
    console = result_console()
    table = new_table("listing", "of", "found", "status", right=("found",))
    for entry in entries:
        style = "" if entry.whole else "red"
        status = Text(entry.status or "", style=style)
        table.add_row(entry.listing, entry.parent_id, f"{entry.rows:,}", status)
    if entries:
        console.print(table)
        console.print()
    console.print(
        f"An export would list {number(planned.registries, 'registry', 'registries')}, with "
        f"{number(planned.fewest_calls, 'call')} at least.",
        soft_wrap=True,
    )
