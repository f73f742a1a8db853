"""Prometheus metrics of a run, as a file for node_exporter's textfile collector.

Of the last run, however it ended:

    registry_exporter_last_run_timestamp_seconds    when it ended
    registry_exporter_last_run_duration_seconds     how long it took
    registry_exporter_last_run_exit_code            what the command ended with
    registry_exporter_last_run_status{status="…"}   1 for how it went, 0 for the others: complete,
                                                    partial, failed, interrupted
    registry_exporter_last_run_calls                requests sent to the API, retries among them
    registry_exporter_last_run_retries              requests sent again after a failure
    registry_exporter_last_run_throttled            requests answered with 429 or 503

Of the last complete snapshot; a run that fails or is partial leaves these as they were:

    registry_exporter_last_success_timestamp_seconds    when it was finished
    registry_exporter_images                            images
    registry_exporter_layers                            uses of layers by images
    registry_exporter_stored_bytes                      layer bytes, as they are billed
    registry_exporter_untagged_bytes                    those that only untagged images use

Alert on `time() - registry_exporter_last_success_timestamp_seconds > 129600` and on
`registry_exporter_last_run_exit_code != 0`.
"""

from __future__ import annotations

import time
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.outcome import STATUSES, Outcome
from exporter.cli.reports import FOR_ALL, write_report
from exporter.snapshot import Manifest

PREFIX = "registry_exporter_"
_OF_SUCCESS = {
    "last_success_timestamp_seconds": "When the last complete snapshot was finished.",
    "images": "Images in the last complete snapshot.",
    "layers": "Uses of layers by images in the last complete snapshot.",
    "stored_bytes": "Layer bytes of the last complete snapshot, as they are billed.",
    "untagged_bytes": "Those of the stored bytes that only untagged images use.",
}

_log = structlog.get_logger()


def write_metrics(path: Path, outcome: Outcome) -> None:
    """Write a run's metrics as `write_report` does; raises `OSError`."""
    registry = CollectorRegistry()
    now = outcome.statistics
    _gauge(registry, "last_run_timestamp_seconds", "When the last run ended.", time.time())
    _gauge(registry, "last_run_duration_seconds", "How long the last run took.", now.seconds)
    _gauge(registry, "last_run_exit_code", "What the last run ended with.", outcome.exit_code)
    _gauge(registry, "last_run_calls", "Requests the last run sent to the API.", now.calls)
    _gauge(registry, "last_run_retries", "Requests it sent again after a failure.", now.retries)
    _gauge(registry, "last_run_throttled", "Requests answered with 429 or 503.", now.throttled)
    states = Gauge(
        f"{PREFIX}last_run_status", "1 for how the last run went.", ["status"], registry=registry
    )
    for status in STATUSES:
        states.labels(status).set(status == outcome.status)
    values = _of_success(outcome.manifest) or _read_back(path)
    for name, value in values.items():
        _gauge(registry, name, _OF_SUCCESS[name], value)
    # The collector is another user.
    write_report(path, generate_latest(registry).decode(), mode=FOR_ALL)


def _gauge(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    Gauge(f"{PREFIX}{name}", meaning, registry=registry).set(value)


def _of_success(manifest: Manifest | None) -> dict[str, float]:
    if manifest is None or manifest.status != "complete":
        return {}
    figures = {
        "images": manifest.totals.get("image_count"),
        "layers": manifest.totals.get("layer_count"),
        "stored_bytes": manifest.totals.get("stored_size"),
        "untagged_bytes": manifest.totals.get("untagged_size"),
    }
    known = {name: float(value) for name, value in figures.items() if isinstance(value, int)}
    return {"last_success_timestamp_seconds": manifest.finished_at.timestamp(), **known}


def _read_back(path: Path) -> dict[str, float]:
    """Return the last success as an earlier run wrote it; nothing where there is none."""
    if not path.is_file():
        return {}  # Reading from a FIFO would wait for who writes into it.
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        _log.warning("metrics_unreadable", path=str(path), reason=str(error))
        return {}
    samples = {sample.name: sample.value for family in families for sample in family.samples}
    return {name: samples[PREFIX + name] for name in _OF_SUCCESS if PREFIX + name in samples}
