"""`verify`: whether a published snapshot is what its manifest says."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.failures import reported


def verify(
    snapshot_id: Annotated[
        str, typer.Argument(metavar="SNAPSHOT_ID", help="A snapshot's id, or latest.")
    ] = "latest",
    config: options.Config = None,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Check a snapshot: files, rows, keys, formats and totals.

    Every table must be there in each of the snapshot's formats. Every file is read and held against
    the manifest (bytes, SHA-256, rows, columns), no key may stand twice, NDJSON must hold the same
    rows as Parquet, and tags, blobs and totals are computed anew. manifests/latest.json must be a
    copy of the newest complete snapshot's manifest; with an id, of that snapshot's if it names
    that. Each problem is printed; exits with 0 if there is none, else with 1.

    \b
    Examples:
      registry-exporter verify --output ./snapshots
      registry-exporter verify run-20261123T020000Z --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.verifying import verify_and_show  # noqa: PLC0415
        from exporter.settings import READING, load_settings  # noqa: PLC0415

        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        code = verify_and_show(settings, snapshot_id)
    raise typer.Exit(code)
