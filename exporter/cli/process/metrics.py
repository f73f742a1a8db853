"""Prometheus metrics of a run, as a file for node_exporter's textfile collector.

About the last run, however it ended:

    registry_exporter_last_run_timestamp_seconds    when it ended
    registry_exporter_last_run_duration_seconds     how long it took
    registry_exporter_last_run_exit_code            the exit code of the command
    registry_exporter_last_run_status{status="…"}   1 for its status, 0 for the others: complete,
                                                    partial, failed, interrupted
    registry_exporter_last_run_calls                requests sent to the API, retries among them
    registry_exporter_last_run_retries              requests sent again after a failure
    registry_exporter_last_run_throttled            requests answered with 429 or 503

About the last complete snapshot. A run that fails or is partial does not change these, and neither
does a complete run during which a part of the scope vanished:

    registry_exporter_last_success_timestamp_seconds    when it was finished
    registry_exporter_images                            images
    registry_exporter_layers                            uses of layers by images
    registry_exporter_stored_bytes                      layer bytes, as they are billed
    registry_exporter_untagged_bytes                    layer bytes that only untagged images use;
                                                        none where a registry does not list them
    registry_exporter_registry_images{registry="…",name="…"}        images of a registry
    registry_exporter_registry_stored_bytes{registry="…",name="…"}  its layer bytes

About the last load into a warehouse, however it ended, by `load` or by `load.after_export`:

    registry_exporter_last_load_timestamp_seconds           when it ended
    registry_exporter_last_load_duration_seconds            how long it took
    registry_exporter_last_load_exit_code                   its exit code
    registry_exporter_last_load_snapshots                   snapshots that it loaded
    registry_exporter_last_load_rows                        rows that it loaded
    registry_exporter_last_load_success_timestamp_seconds   when one last ended with exit code 0

The registries are the 20 that store most; `registry="other"` sums up all others. With
`--metrics-job NAME` every metric has the label `export_job="NAME"`: `job` is Prometheus' own. Each
job needs a file of its own.

Alert on `time() - registry_exporter_last_success_timestamp_seconds > 129600` and on
`registry_exporter_last_run_exit_code != 0`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.process.outcome import STATUSES, LoadOutcome, Outcome
from exporter.cli.process.reports import READABLE_BY_ALL, write_report
from exporter.snapshots.highlights import ScopeSizes
from exporter.snapshots.manifest import Manifest

PREFIX = "registry_exporter_"
JOB = "export_job"
"""The label that says which of several jobs a run was."""
REGISTRIES = 20
"""How many registries have metrics of their own."""
OTHER = "other"
"""The label of the sum of all others."""
_OF_RUN = {
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_run_duration_seconds": "How long the last run took.",
    "last_run_exit_code": "The exit code of the last run.",
    "last_run_calls": "Requests the last run sent to the API.",
    "last_run_retries": "Requests that the last run sent again after a failure.",
    "last_run_throttled": "Requests of the last run that were answered with 429 or 503.",
    "last_run_status": "1 for the status of the last run, 0 for the others.",
}
_OF_SUCCESS = {
    "last_success_timestamp_seconds": "When the last complete snapshot was finished. A snapshot of "
    "which a part vanished does not count.",
    "images": "Images in the last complete snapshot.",
    "layers": "Uses of layers by images in the last complete snapshot.",
    "stored_bytes": "Layer bytes of the last complete snapshot, as they are billed.",
    "untagged_bytes": "Layer bytes that only untagged images use, in the last complete snapshot.",
    "registry_images": "Images of a registry in the last complete snapshot.",
    "registry_stored_bytes": "Layer bytes of a registry in the last complete snapshot.",
}
_OF_LOAD = {
    "last_load_timestamp_seconds": "When the last load ended.",
    "last_load_duration_seconds": "How long the last load took.",
    "last_load_exit_code": "The exit code of the last load.",
    "last_load_snapshots": "Snapshots that the last load brought into the warehouse.",
    "last_load_rows": "Rows that the last load brought into the warehouse.",
}
_OF_LOAD_SUCCESS = {
    "last_load_success_timestamp_seconds": "When a load last ended with exit code 0.",
}
_MEANINGS = _OF_RUN | _OF_SUCCESS | _OF_LOAD | _OF_LOAD_SUCCESS

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Sample:
    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def write_metrics(path: Path, outcome: Outcome | LoadOutcome, *, job: str = "") -> None:
    """Write the metrics of a run, or of a load, as `write_report` does; raises `OSError`."""
    if isinstance(outcome, LoadOutcome):
        samples = _of_load(outcome, path)
    else:
        samples = [
            *_of_run(outcome),
            *(list(_of_success(outcome)) or _read_back(path, _OF_SUCCESS)),
        ]
        if outcome.load is not None:
            samples += _of_load(outcome.load, path)
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for sample in samples:
        labels = {**sample.labels, **({JOB: job} if job else {})}
        if sample.name not in gauges:
            gauges[sample.name] = Gauge(
                PREFIX + sample.name, _MEANINGS[sample.name], list(labels), registry=registry
            )
        gauge = gauges[sample.name]
        (gauge.labels(**labels) if labels else gauge).set(sample.value)
    # The collector is another user.
    write_report(path, generate_latest(registry).decode(), mode=READABLE_BY_ALL)


def _of_run(outcome: Outcome) -> Iterator[_Sample]:
    now = outcome.statistics
    yield _Sample("last_run_timestamp_seconds", time.time())
    yield _Sample("last_run_duration_seconds", now.seconds)
    yield _Sample("last_run_exit_code", outcome.exit_code)
    yield _Sample("last_run_calls", now.calls)
    yield _Sample("last_run_retries", now.retries)
    yield _Sample("last_run_throttled", now.throttled)
    for status in STATUSES:
        yield _Sample("last_run_status", status == outcome.status, {"status": status})


def _of_success(outcome: Outcome) -> Iterator[_Sample]:
    manifest = outcome.manifest
    if manifest is None or not manifest.is_sound:
        return
    yield _Sample("last_success_timestamp_seconds", manifest.finished_at.timestamp())
    yield from _of_totals(manifest)
    yield from _of_registries(outcome.registries)


def _of_totals(manifest: Manifest) -> Iterator[_Sample]:
    for name, column in (
        ("images", "image_count"),
        ("layers", "layer_count"),
        ("stored_bytes", "stored_size"),
        ("untagged_bytes", "untagged_size"),
    ):
        value = manifest.totals.get(column)
        if isinstance(value, int):
            yield _Sample(name, value)


def _of_registries(registries: Iterable[ScopeSizes]) -> Iterator[_Sample]:
    largest = sorted(registries, key=lambda one: (-one.stored_size, one.id))
    rest = largest[REGISTRIES:]
    if rest:
        images, stored = sum(one.images for one in rest), sum(one.stored_size for one in rest)
        largest = [*largest[:REGISTRIES], ScopeSizes(OTHER, "", images, stored, 0)]
    for one in largest:
        labels = {"registry": one.id, "name": one.name}
        yield _Sample("registry_images", one.images, labels)
        yield _Sample("registry_stored_bytes", one.stored_size, labels)


def _of_load(load: LoadOutcome, path: Path) -> list[_Sample]:
    now = time.time()
    if load.exit_code == 0:
        success = [_Sample("last_load_success_timestamp_seconds", now)]
    else:
        success = _read_back(path, _OF_LOAD_SUCCESS)
    return [
        _Sample("last_load_timestamp_seconds", now),
        _Sample("last_load_duration_seconds", load.seconds),
        _Sample("last_load_exit_code", load.exit_code),
        _Sample("last_load_snapshots", len(load.loaded)),
        _Sample("last_load_rows", sum(sum(one.rows.values()) for one in load.loaded)),
        *success,
    ]


def _read_back(path: Path, names: Collection[str]) -> list[_Sample]:
    """Return the samples of these names as an earlier run wrote them; none where there are none."""
    if not path.is_file():
        return []  # Reading from a FIFO would wait for a writer.
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        _log.warning("metrics_unreadable", path=str(path), reason=str(error))
        return []
    return [
        _Sample(
            sample.name.removeprefix(PREFIX),
            sample.value,
            {name: value for name, value in sample.labels.items() if name != JOB},
        )
        for family in families
        for sample in family.samples
        if sample.name.startswith(PREFIX) and sample.name.removeprefix(PREFIX) in names
    ]
