"""The metrics file: what a run came to, with the last success kept through failures."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.process import metrics
from exporter.cli.process.metrics import PREFIX, write_metrics
from exporter.cli.process.outcome import LoadOutcome, Outcome
from exporter.crawl.progress import Progress
from exporter.load.progress import Loaded
from exporter.snapshots.highlights import ScopeSizes
from exporter.snapshots.manifest import Manifest, Requests

FINISHED = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
MANIFEST = Manifest(
    generator="registry-exporter/test",
    snapshot_id="night",
    status="complete",
    started_at=datetime(2026, 11, 23, 2, tzinfo=UTC),
    finished_at=FINISHED,
    source={},
    scope={},
    totals={"image_count": 150, "layer_count": 900, "stored_size": 2**40, "untagged_size": 7},
    coverage={"complete": 9},
    requests=Requests(calls=12, retries=1, throttled=0, bytes=1000),
)
REGISTRIES = tuple(ScopeSizes(f"crp{n:02}", "same name", n, 10 * n, 0) for n in range(25))
LOADED = Loaded("run-1", "complete", {"images": 150, "layers": 900}, 1.5)
LOAD = LoadOutcome("complete", 0, 2.0, "duckdb:w", loaded=(LOADED,))
COMPLETE = Outcome(
    "complete", 0, Progress().statistics(), MANIFEST, registries=REGISTRIES, load=LOAD
)
FAILED = Outcome("failed", 4, replace(Progress().statistics(), calls=3, retries=2), error="no")


def values(path: Path) -> dict[str, float]:
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {
        sample.name.removeprefix(PREFIX) + "".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_complete_run_writes_everything_the_module_documents(tmp_path: Path) -> None:
    path = tmp_path / "run.prom"
    write_metrics(path, COMPLETE)
    written = values(path)
    assert written["last_success_timestamp_seconds"] == FINISHED.timestamp()
    assert written["images"] == 150
    assert written["stored_bytes"] == 2**40
    assert written["last_run_exit_code"] == 0
    assert written["last_run_statuscomplete"] == 1
    assert written["last_run_statusfailed"] == 0
    assert written["last_load_rows"] == 1050
    text = path.read_text(encoding="utf-8")
    documented = {
        word.partition("{")[0]
        for word in (metrics.__doc__ or "").split()
        if word.startswith(PREFIX)
    }
    assert {
        line.split()[2] for line in text.splitlines() if line.startswith("# HELP")
    } == documented
    assert [each.name for each in tmp_path.iterdir()] == ["run.prom"]


@pytest.mark.parametrize(
    "bad",
    [
        FAILED,
        Outcome(
            "partial", 3, Progress().statistics(), MANIFEST.model_copy(update={"status": "partial"})
        ),
    ],
    ids=["failed", "partial"],
)
def test_a_run_that_is_not_complete_shows_and_keeps_the_last_success(
    bad: Outcome, tmp_path: Path
) -> None:
    path = tmp_path / "run.prom"
    write_metrics(path, COMPLETE)
    write_metrics(path, bad)
    write_metrics(path, bad)
    written = values(path)
    assert written["last_success_timestamp_seconds"] == FINISHED.timestamp()
    assert written["images"] == 150
    assert written["last_run_exit_code"] == bad.exit_code
    assert written[f"last_run_status{bad.status}"] == 1
    assert written["last_run_statuscomplete"] == 0
    assert written["last_run_calls"] == bad.statistics.calls


@pytest.mark.parametrize("earlier", [None, b"", b"not { metrics", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_back_is_written_anew(
    earlier: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "run.prom"
    if earlier is not None:
        path.write_bytes(earlier)
    write_metrics(path, FAILED)
    written = values(path)
    assert "last_success_timestamp_seconds" not in written
    assert written["last_run_exit_code"] == 4


def test_the_largest_registries_are_told_one_by_one_and_the_others_as_one(tmp_path: Path) -> None:
    path = tmp_path / "run.prom"
    write_metrics(path, COMPLETE, job="a")
    write_metrics(path, FAILED, job="b")
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
    }
    images = families[f"{PREFIX}registry_images"]
    assert {each.labels["export_job"] for samples in families.values() for each in samples} == {"b"}
    assert {each.labels["registry"]: each.value for each in images} == {
        "other": 0 + 1 + 2 + 3 + 4,
        **{f"crp{n:02}": n for n in range(5, 25)},
    }
    stored = families[f"{PREFIX}registry_stored_bytes"]
    assert sum(each.value for each in stored) == 10 * sum(range(25))


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_the_collector_may_read_the_file_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "run.prom"
    before = os.umask(umask)
    try:
        write_metrics(path, COMPLETE)
        write_metrics(path, FAILED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
