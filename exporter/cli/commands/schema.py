"""`schema`: the tables of a snapshot, column by column."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.failures import reported


def schema(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="One table; all of them without it.")
    ] = None,
    format_: Annotated[
        options.SchemaFormat, typer.Option("--format", help="How to print it.")
    ] = options.SchemaFormat.TEXT,
    debug: options.Debug = False,
) -> None:
    """Print what a snapshot's tables hold: every column, its type and its meaning.

    \b
    Examples:
      registry-exporter schema images
      registry-exporter schema --format markdown > tables.md
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.schemas import render_schema  # noqa: PLC0415

        typer.echo(render_schema(table, format_))
