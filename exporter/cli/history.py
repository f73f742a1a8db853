"""`history`: which images a tag pointed to, and how a scope grew, over all snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from exporter.analyze.history import TOTAL, History, size_history, tag_history
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import answered
from exporter.cli.process.incomplete import say_incomplete, say_unreadable
from exporter.cli.process.row_format import RowFormat, row_format
from exporter.cli.process.rows import write_rows
from exporter.cli.terminal.rows import show_rows
from exporter.cli.terminal.tables import result_console
from exporter.errors import PARTIAL_EXIT_CODE, SettingsError
from exporter.figures import printable
from exporter.output import open_existing
from exporter.settings import READING, load_settings
from exporter.snapshots.selection import read_snapshot
from exporter.wording import number

_OF_TAGS = (
    "tag",
    "digest",
    "first_seen_at",
    "last_seen_at",
    "is_current",
    "image_id",
    "first_snapshot_id",
    "last_snapshot_id",
)
_OF_SIZES = (
    "started_at",
    "image_count",
    "stored_size",
    "untagged_size",
    "logical_size",
    "complete",
    "snapshot_id",
)
"""The columns that a person sees, the most telling first."""

app = new_app()


@app.command()
def history(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="REPOSITORY[:TAG]",
            help="A repository's full name, with a tag or a pattern of tags such as v1.*; with "
            "--sizes, the id of a cloud, a folder or a registry, or a repository's full name.",
        ),
    ] = None,
    sizes: Annotated[
        bool,
        typer.Option("--sizes", help="Show the sizes of a scope, by default of everything."),
    ] = False,
    snapshot: Annotated[
        str | None,
        typer.Option(
            "--snapshot", metavar="ID", help="The last snapshot to look at, by default the newest."
        ),
    ] = None,
    row_format_: options.RowFormatChoice = None,
    to: options.To = None,
    config: options.Config = None,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Show which images a tag pointed to, or with --sizes how a scope grew.

    Looks at all snapshots of the output's own source, oldest first. There is a row for each
    unbroken run of snapshots in which a tag pointed to one image. A snapshot that did not list the
    repository whole neither ends nor begins a run. Of two images with one tag, the one that was
    created last counts. History is as long as snapshots are kept (output.keep).

    \b
    Examples:
      registry-exporter history crp0123456789abcdefg/team/app:latest
      registry-exporter history --sizes
      registry-exporter history --sizes crp0123456789abcdefg --to sizes.csv
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with answered(debug):
        format_ = row_format(row_format_, to)
        if name is None and not sizes:
            raise SettingsError("Name a REPOSITORY[:TAG], or give --sizes for the sizes of all.")
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        destination = open_existing(settings)
        until = read_snapshot(destination, snapshot).manifest if snapshot else None
        if sizes:
            found = size_history(destination, name or TOTAL, until=until)
        else:
            found = tag_history(destination, name or "", until=until)
        code = _answer(found, name, sizes=sizes, format_=format_, to=to)
    raise typer.Exit(code)


def _answer(
    found: History, name: str | None, *, sizes: bool, format_: RowFormat | None, to: Path | None
) -> int:
    """Print or write the rows, and return the exit code."""
    if format_ is not None:
        write_rows(found.rows.to_reader(), format_, to)
    else:
        _show(found, name, sizes=sizes)
    for snapshot_id in found.unreadable:
        say_unreadable(snapshot_id)
    if not found.is_partial:
        return PARTIAL_EXIT_CODE if found.unreadable else 0
    missed = found.not_listed
    which = f"Snapshot {missed[-1]}"
    if len(missed) > 1:
        which = f"{len(missed)} of {found.span.count} snapshots, the last of them {missed[-1]},"
    lacks = "lacked a part of this scope" if sizes else "did not list this repository whole"
    say_incomplete(f"{which} {lacks}, so this history may be incomplete", missed[-1])
    return PARTIAL_EXIT_CODE


def _show(found: History, name: str | None, *, sizes: bool) -> None:
    console = result_console()
    columns = _OF_SIZES if sizes else _OF_TAGS
    if found.rows.num_rows:
        shown = show_rows(found.rows.select(columns).to_reader(), may_leave_out=True)
        if shown.has_more:
            print_dim(f"These are the first {shown.rows} rows; --to rows.csv writes all of them.")
        if shown.left_out:
            print_dim(f"Not shown: {', '.join(shown.left_out)}; --to rows.csv writes every column.")
    else:
        near = f"; the nearest tag is {found.nearest_tag}" if found.nearest_tag else ""
        said = f"No snapshot lists such a tag in {name}{near}."
        console.print(Text(printable(said)), soft_wrap=True)
    print_dim(_length(found))


def print_dim(text: str) -> None:
    """Print a remark below a table."""
    result_console().print(Text(printable(text), style="dim"))


def _length(found: History) -> str:
    span = found.span
    if span.count == 1:
        how_long = f"one snapshot, of {span.first_at:%Y-%m-%d}"
    else:
        how_long = (
            f"{number(span.count, 'snapshot')}, from {span.first_at:%Y-%m-%d} to "
            f"{span.last_at:%Y-%m-%d}"
        )
    return f"Of {how_long}; history is as long as snapshots are kept (output.keep)."
