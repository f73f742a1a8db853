"""`load` as people and programs run it, alone and after an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.emulator import Faults
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.emulator.client import largest_registry
from tests.load.kinds import DuckDbKind
from tests.load.published import hostile_rows, publish_rows


def test_a_program_reads_the_summary_the_metrics_and_the_log(tmp_path: Path) -> None:
    exporter, warehouse = Exporter(tmp_path), DuckDbKind(tmp_path)
    publish_rows(exporter.output, "n1", hostile_rows(5))
    publish_rows(exporter.output, "n2", hostile_rows(6, "b"), night=1, status="partial")
    metrics = tmp_path / "load.prom"
    flags = ("load", "--to", warehouse.url, "--output", str(exporter.output))
    files = ("--summary-json", "-", "--metrics-file", str(metrics), "--metrics-job", "night")
    planned = exporter.command(*flags, "--dry-run", "--quiet")
    assert planned.code == 0
    assert "n1" in planned.stdout
    planned = exporter.command(*flags, "--dry-run", "--quiet", "--summary-json", "-")
    assert json.loads(planned.stdout)["planned"] == ["n1"]
    assert not warehouse.path.exists()
    run = exporter.command(*flags, *files, "--log-format", "json")
    assert run.code == 0
    summary = json.loads(run.stdout)
    assert (summary["exit_code"], summary["status"], summary["error"]) == (0, "complete", None)
    (loaded,) = summary["loaded"]
    assert (loaded["snapshot_id"], loaded["rows"]["images"]) == ("n1", 5)
    assert summary["left_out"] == {"partial": ["n2"], "unreadable": []}
    events = [one["event"] for one in run.events]
    assert events == ["load_started", "snapshot_loaded", "load_finished"]
    assert len({one["run_id"] for one in run.events}) == 1
    samples = _samples(metrics)
    assert samples["registry_exporter_last_load_rows"] == 65
    assert samples["registry_exporter_last_load_exit_code"] == 0
    success = samples["registry_exporter_last_load_success_timestamp_seconds"]
    partial = exporter.command(*flags, *files, "--partial", "--quiet")
    assert partial.code == 3
    assert partial.stderr.count("\n") == 1
    assert "n2 is partial" in partial.stderr
    failed = exporter.command(*flags, *files, "--snapshot", "n3", "--quiet")
    assert failed.code == 1
    assert json.loads(failed.stdout)["status"] == "failed"
    assert "no snapshot n3" in failed.stderr
    samples = _samples(metrics)
    assert samples["registry_exporter_last_load_exit_code"] == 1
    assert samples["registry_exporter_last_load_success_timestamp_seconds"] == success
    refused = exporter.command("load", "--output", str(exporter.output), *files)
    assert refused.code == 2
    assert json.loads(refused.stdout)["exit_code"] == 2


def test_a_snapshot_that_cannot_be_read_is_a_1_and_the_others_are_loaded(tmp_path: Path) -> None:
    exporter, warehouse = Exporter(tmp_path), DuckDbKind(tmp_path)
    for night, snapshot_id in enumerate(("n1", "n2", "n3")):
        publish_rows(exporter.output, snapshot_id, hostile_rows(2, snapshot_id), night=night)
    (part,) = (exporter.output / "parquet" / "images" / "snapshot_id=n1").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    (exporter.output / "manifests" / "n2.json").write_text("{}")
    flags = ("load", "--to", warehouse.url, "--output", str(exporter.output))
    run = exporter.command(*flags, "--quiet", "--log-format", "json")
    assert run.code == 1
    first, second = run.events
    assert part.name in first["message"]
    assert "Snapshot n2 cannot be read" in second["message"]
    assert (first["snapshot_id"], second["snapshot_id"]) == ("n1", "n2")
    assert first["run_id"] == second["run_id"]
    assert {row["snapshot_id"] for row in warehouse.rows("tags")} == {"n3"}


def test_config_check_shows_the_warehouse_without_its_password(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    exporter.environment |= {
        "PG": "hunter2",
        "REGISTRY_EXPORTER__LOAD__TABLES": "images,tags",
        "REGISTRY_EXPORTER__LOAD__ICEBERG": '{"credential": "hunter2"}',
    }
    load = {"to": "postgresql://u:${PG}@h/db", "schema": "inventory"}
    run = exporter.command(
        "config", "check", "--config", str(exporter.write_config({"load": load}))
    )
    assert run.code == 0
    assert yaml.safe_load(run.stdout)["load"] == {
        "to": "postgresql://u@h/db",
        "schema": "inventory",
        "tables": ["images", "tags"],
        "partial": False,
        "after_export": False,
        "iceberg": {"credential": "**********"},
    }
    assert "hunter2" not in run.stdout + run.stderr


def test_an_export_loads_afterwards_and_the_next_one_brings_what_a_failed_load_left_out(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    folder = exporter.folder / "warehouse"
    summary, metrics = exporter.folder / "summary.json", exporter.folder / "run.prom"
    files = ("--summary-json", str(summary), "--metrics-file", str(metrics))
    load = {"load": {"to": f"duckdb:{folder}/warehouse.duckdb", "after_export": True}}
    run = exporter.run("--snapshot-id", "first", *files, sections=load)
    assert run.code == 7
    assert run.published == ["first"]
    said = _summary(summary)
    assert (said["exit_code"], said["status"], said["load"]["exit_code"]) == (7, "complete", 7)
    assert "there is no folder" in said["load"]["error"]
    assert run.events[-1]["event"] == "load_failed"
    assert run.events[-1]["run_id"]
    assert _samples(metrics)["registry_exporter_last_run_exit_code"] == 7
    folder.mkdir()
    warehouse = DuckDbKind(folder)
    run = exporter.run("--snapshot-id", "second", *files, sections=load)
    assert run.code == 0
    loaded = [one["snapshot_id"] for one in _summary(summary)["load"]["loaded"]]
    assert loaded == ["first", "second"]
    assert {row["snapshot_id"] for row in warehouse.rows("images")} == {"first", "second"}
    assert _samples(metrics)["registry_exporter_last_load_exit_code"] == 0
    cloud.faults = Faults(denied=frozenset({largest_registry(cloud.estate)}))
    run = exporter.run("--snapshot-id", "third", *files, sections=load)
    assert run.code == 3
    assert "load" not in _summary(summary)
    assert {row["snapshot_id"] for row in warehouse.rows("images")} == {"first", "second"}


def _summary(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _samples(path: Path) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
