"""`verify`: check that a published snapshot matches its manifest."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.cli.terminal.tables import result_console
from exporter.figures import size
from exporter.output import open_existing
from exporter.settings import READING, Settings, load_settings
from exporter.snapshots.catalog import is_from_future
from exporter.snapshots.layout import LATEST
from exporter.snapshots.manifest import Manifest, rfc3339
from exporter.verification import Step, begin_verification
from exporter.wording import number

app = new_app()


@app.command()
def verify(
    snapshot_id: Annotated[
        str, typer.Argument(metavar="SNAPSHOT_ID", help="A snapshot's id, or latest.")
    ] = "latest",
    config: options.Config = None,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Check a snapshot: files, rows, keys, formats and totals.

    Every table must exist in each of the snapshot's formats. Every file is read and compared with
    the manifest (bytes, SHA-256, rows, columns), no key may occur twice, NDJSON must hold the same
    rows as Parquet, and tags, blobs and totals are computed again. manifests/latest.json must be a
    copy of the newest complete snapshot's manifest. With an id, that file is checked only if it
    names that snapshot. Prints each problem; exits with 0 if there is none, else with 1.

    \b
    Examples:
      registry-exporter verify --output ./snapshots
      registry-exporter verify run-20261123T020000Z --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        code = _verify(settings, snapshot_id)
    raise typer.Exit(code)


def _verify(settings: Settings, snapshot_id: str) -> int:
    """Verify a snapshot and print each problem; return 0 if there is none, else 1.

    Raises `ExporterError` where there is no such snapshot, `IntegrityError` where its manifest
    cannot be read.
    """
    verification = begin_verification(open_existing(settings), snapshot_id)
    manifest, latest = verification.manifest, verification.latest_problem
    console = result_console()

    def show_step(step: Step) -> None:
        console.print(f"Checking {_named(step, manifest)} …", style="dim", soft_wrap=True)

    name = f"Snapshot {manifest.snapshot_id}"
    problems = 0
    for problem in verification.problems(show_step):
        problems += 1
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    if latest:
        console.print(f"  {latest}", style="red", markup=False, soft_wrap=True)
    if problems:
        console.print(
            f"{name} is BROKEN: {number(problems, 'problem')}.", style="bold red", soft_wrap=True
        )
        return 1
    rest = "" if manifest.status == "complete" else " It is partial, as its manifest says."
    if is_from_future(manifest):
        rest += (
            f" It is from the future ({rfc3339(manifest.finished_at)}): the clock of the machine "
            "that made it was ahead, or this one's is behind."
        )
    if latest:
        console.print(
            f"{name} matches its manifest, but {LATEST} is wrong.{rest}",
            style="bold red",
            soft_wrap=True,
        )
        return 1
    console.print(f"{name} is sound.{rest}", style="bold green", soft_wrap=True)
    return 0


def _named(step: Step, manifest: Manifest) -> str:
    match step:
        case Step.FILES:
            bytes_ = size(sum(file.bytes for file in manifest.files))
            return f"{number(len(manifest.files), 'file')} of {bytes_} against the manifest"
        case Step.ROWS:
            rows = sum(table.rows for table in manifest.tables.values())
            return f"keys and formats of {number(rows, 'row')}"
        case Step.DERIVED:
            return "tags, blobs and totals, computed again"
