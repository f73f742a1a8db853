"""The report that an export writes beside its snapshot, if `output.report` asks for one."""

from __future__ import annotations

import structlog

from exporter.report.extra import missing_packages
from exporter.settings import Settings
from exporter.snapshots.layout import report_path
from exporter.snapshots.manifest import Manifest
from exporter.storage.destination import Destination

log = structlog.get_logger()


def check_packages(settings: Settings) -> None:
    """Say in the log, before the first call, that packages for a report are missing."""
    if settings.output.report and (said := missing_packages()):
        log.warning("report_left_out", message=said)


def publish_report(settings: Settings, destination: Destination, manifest: Manifest) -> None:
    """Write `reports/<id>.html` if the settings ask for it; a failure does not fail the run.

    The caller has the lock. The log says where the report is, or why there is none.
    """
    if not settings.output.report or missing_packages():
        return
    # Few exports make a report, and all that reads a snapshot is imported for it.
    from exporter.report.making import make_report  # noqa: PLC0415
    from exporter.snapshots.reader import Snapshot  # noqa: PLC0415

    path = report_path(manifest.snapshot_id)
    try:
        with Snapshot(destination, manifest) as snapshot:
            made = make_report(destination, snapshot, pricing=settings.report)
        destination.write_atomically(path, made.html.encode())
    except Exception as error:  # noqa: BLE001 - the snapshot is published whatever happens here
        log.error("report_failed", error=str(error), path=path)  # noqa: TRY400 - as prune_failed
    else:
        log.info("report_written", path=path)
