"""`diff`: show what differs between two snapshots."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.analyze.diff import Diff
from exporter.analyze.diff import diff as compare
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.cli.process.incomplete import say_partial
from exporter.cli.process.reading import reading
from exporter.cli.process.row_format import RowFormat, row_format
from exporter.cli.process.rows import write_rows, write_summary
from exporter.cli.terminal.differences import show_differences
from exporter.cli.terminal.tables import result_console
from exporter.errors import ExporterError, SettingsError
from exporter.output import open_existing
from exporter.settings import READING, Settings, load_settings
from exporter.snapshots.manifest import Manifest, rfc3339
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.selection import NEWEST, PREVIOUS, complete_before, read_snapshot
from exporter.storage.destination import Destination

app = new_app()


class Rows(StrEnum):
    """A table that this command answers with."""

    CHANGES = "changes"
    GROWTH = "growth"


@app.command()
def diff(
    before: Annotated[
        str | None,
        typer.Argument(
            metavar="A",
            help="The snapshot before: an id, previous or latest; by default the complete one "
            "before B.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Argument(
            metavar="B", help="The snapshot after: an id, previous or latest, the default."
        ),
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", metavar="ID", help="Another way to name B.")
    ] = None,
    config: options.Config = None,
    output: options.Output = None,
    rows: Annotated[
        Rows, typer.Option("--rows", help="The table that --format and --to give.")
    ] = Rows.CHANGES,
    format_: options.RowFormatChoice = None,
    to: options.To = None,
    summary_json: options.SummaryJson = None,
    debug: options.Debug = False,
) -> None:
    """Show what differs between two snapshots: images, tags, repositories, registries, sizes.

    Without arguments, compares the complete snapshot before the latest with the latest. Something
    is removed only where B looked for it: its listing is complete, and the scope of B covers it.
    Something is added only where A would have seen it. A registry of which this cannot be said is
    unknown, with the reason. Exits with 3 if one of the snapshots is partial.

    \b
    Examples:
      registry-exporter diff --output ./snapshots
      registry-exporter diff run-20261122T020000Z latest --to changes.csv
      registry-exporter diff --rows growth --format json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        answer = _Answer(rows, row_format(format_, to), to, summary_json)
        answer.check()
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        if after is not None and snapshot is not None:
            raise SettingsError("B and --snapshot name one thing: leave one of them out.")
        code = _diff(settings, before, after or snapshot or NEWEST, answer)
    raise typer.Exit(code)


@dataclass(frozen=True)
class _Answer:
    """Where the answer goes: the rows of a table, the totals, or all of it to a person."""

    rows: Rows
    format: RowFormat | None
    to: Path | None
    summary: str | None

    def check(self) -> None:
        """Refuse an answer that would mix two things; raises `SettingsError`."""
        if self.summary == "-" and self.to is None and self.format:
            raise SettingsError(
                "--summary-json - and --format both write to stdout: name a file for one of them."
            )

    def give(self, found: Diff) -> None:
        """Write what was asked for; raises `OutputError`."""
        if self.format is not None:
            write_rows(found.rows(self.rows.value), self.format, self.to)
        if self.summary is not None:
            write_summary(_summary(found), self.summary)
        if self.format is None and self.summary != "-":
            show_differences(result_console(), found)


def _diff(settings: Settings, earlier: str | None, later: str, answer: _Answer) -> int:
    """Compare two snapshots of an output; return the exit code."""
    with ExitStack() as stack:
        with reading():
            destination = open_existing(settings)
            after = stack.enter_context(read_snapshot(destination, later))
            before = stack.enter_context(_before(destination, earlier, later, after.manifest))
            found = stack.enter_context(compare(before, after))
        answer.give(found)
        manifests = {one.manifest.snapshot_id: one.manifest for one in (before, after)}
    return say_partial(*manifests.values())


def _before(destination: Destination, earlier: str | None, later: str, after: Manifest) -> Snapshot:
    """Open the snapshot that was named, or the complete one before the later one."""
    if earlier is not None or later == NEWEST:
        return read_snapshot(destination, earlier or PREVIOUS)
    found = complete_before(destination, after)
    if found is None:
        raise ExporterError(
            f"There is no complete snapshot before {after.snapshot_id} of its source and scope: "
            "name A."
        )
    return found


def _summary(found: Diff) -> dict[str, Any]:
    return {
        "before": _named(found.before),
        "after": _named(found.after),
        "changes": dict(found.counts),
        "totals": dict(found.totals),
    }


def _named(manifest: Manifest) -> dict[str, Any]:
    return {
        "snapshot_id": manifest.snapshot_id,
        "status": manifest.status,
        "started_at": rfc3339(manifest.started_at),
    }
