"""`report`: one HTML file about a snapshot, for the one who pays and the one who audits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import answered
from exporter.cli.process.incomplete import say_partial
from exporter.cli.process.reports import can_write, report_file
from exporter.cli.terminal.tables import result_console
from exporter.errors import AnswerFileError, SettingsError
from exporter.figures import size
from exporter.output import open_existing
from exporter.report.extra import require_packages
from exporter.report.making import make_report
from exporter.settings import READING, Settings, load_settings
from exporter.snapshots.selection import NEWEST, PREVIOUS, read_snapshot

app = new_app()


@app.command()
def report(
    config: options.Config = None,
    output: options.Output = None,
    snapshot: options.SnapshotName = NEWEST,
    compare: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="The snapshot to compare with: an id, previous (the complete one before, if there "
            "is one) or none.",
        ),
    ] = PREVIOUS,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write the report here, not to stdout."),
    ] = None,
    price: options.Price = None,
    currency: options.Currency = None,
    debug: options.Debug = False,
) -> None:
    """Make a report about a snapshot: one HTML file that opens without a network.

    It says where the bytes are, what can be freed, what has grown and changed, what an auditor
    should look at, and what the snapshot lacks. Needs the extra: registry-exporter[report].

    \b
    Examples:
      registry-exporter report --output ./snapshots --to report.html
      registry-exporter report --config cron.yaml --compare none --to report.html
      registry-exporter report --to report.html --price 0.0243 --currency USD

    \b
    Exit codes:
      0 written           1 no such snapshot, an unreadable one, or no extra
      2 usage, settings   3 written, but a snapshot is partial
      5 the file cannot be written
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with answered(debug):
        if to is None and sys.stdout.isatty():
            raise SettingsError("A report is not for a terminal: name a file with --to.")
        if to is not None and not can_write(to):
            raise AnswerFileError(
                f"Cannot write {to}: name a file in a folder that can be written."
            )
        told = options.settings_flags(output=output, price=price, currency=currency)
        settings = load_settings(config, told, only=(*READING, "report"))
        code = _report(settings, snapshot, compare, to)
    raise typer.Exit(code)


def _report(settings: Settings, name: str, compare: str, to: Path | None) -> int:
    """Make and write a report; return the exit code."""
    require_packages()
    destination = open_existing(settings)
    with read_snapshot(destination, name) as snapshot:
        made = make_report(destination, snapshot, compare=compare, pricing=settings.report)
    data = made.html.encode()
    if to is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        _write(to, data)
        result_console().print(
            f"The report about {snapshot.manifest.snapshot_id} is in {to} ({size(len(data))}).",
            markup=False,
            soft_wrap=True,
        )
    return say_partial(*made.manifests)


def _write(to: Path, data: bytes) -> None:
    try:
        with report_file(to) as file:
            file.write(data)
    except OSError as error:
        raise AnswerFileError(f"Cannot write {to}: {error.strerror or error}.") from error
