"""`list`: which snapshots there are."""

from __future__ import annotations

from exporter.cli import options
from exporter.cli.failures import reported


def list_snapshots(
    config: options.Config = None,
    output: options.Output = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """List the snapshots: status, age, images, stored size, bytes on disk, source and scope.

    The newest complete one is marked as the latest if manifests/latest.json is a copy of its
    manifest; if that is something else, stderr says what. So it does of snapshots that are
    unfinished, or too small to be published. --json has source and scope in full.

    \b
    Examples:
      registry-exporter list --output ./snapshots
      registry-exporter list --config cron.yaml --json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        from exporter.cli.listing import show_snapshots  # noqa: PLC0415
        from exporter.settings import READING, load_settings  # noqa: PLC0415

        settings = load_settings(config, options.settings_flags(output=output), only=READING)
        show_snapshots(settings, as_json=as_json)
