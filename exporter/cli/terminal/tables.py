"""The results of commands on stdout, for a person."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

UNLIMITED = 10_000


def result_console() -> Console:
    """Return a console on stdout; into a pipe or a file, lines are never folded."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def new_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table with headers; columns of figures stand to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table
