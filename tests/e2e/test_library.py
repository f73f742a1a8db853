"""The library's whole public API, as a task of a workflow uses it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter import Settings, export, inventory
from exporter.derive.conclude import conclude
from exporter.errors import CredentialsError, IncompleteError, SettingsError
from exporter.settings import Output
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import busiest_registry, check_against, world_of
from tests.oracle.snapshots import read_only_snapshot, snapshot_ids


def settings_for(cloud: Cloud, place: Path, **sections: Any) -> Settings:
    services = ("container_registry", "resource_manager", "iam")
    told: dict[str, Any] = {
        "endpoints": dict.fromkeys(services, cloud.url),
        "credentials": {"iam_token": cloud.token},
        "output": {"url": str(place)},
    }
    return Settings(**(told | sections))


async def test_export_returns_the_manifest_of_the_snapshot_it_published(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud()
    manifest = await export(settings_for(cloud, tmp_path / "out"))
    snapshot = read_only_snapshot(tmp_path / "out")
    check_against(snapshot, world_of(cloud.estate))
    assert manifest.snapshot_id == snapshot.id
    assert manifest.status == "complete"
    assert manifest.totals["image_count"] == cloud.estate.shape.images


async def test_the_log_of_a_library_keeps_off_stdout(
    serve_cloud: ServeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()
    try:
        await export(settings_for(serve_cloud(), tmp_path / "out"))
    finally:
        structlog.reset_defaults()
    written = capsys.readouterr()
    assert written.out == ""
    assert "export_finished" in written.err


async def test_a_log_that_the_caller_configured_stays_as_it_is(
    serve_cloud: ServeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = structlog.testing.LogCapture()
    structlog.configure(processors=[events])
    try:
        await export(settings_for(serve_cloud(), tmp_path / "out"))
    finally:
        structlog.reset_defaults()
    assert "export_finished" in [event["event"] for event in events.entries]
    assert capsys.readouterr().err == ""


async def test_export_raises_what_the_command_would_exit_with(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud()
    refused = settings_for(cloud, tmp_path / "out", credentials={"iam_token": "t1.stale"})
    with pytest.raises(CredentialsError):
        await export(refused)
    cloud.deny(busiest_registry(cloud.estate))
    output = {"url": str(tmp_path / "out"), "on_partial": "fail"}
    with pytest.raises(IncompleteError):
        await export(settings_for(cloud, tmp_path / "out", output=output))
    assert snapshot_ids(tmp_path / "out") == []


async def test_who_cancels_an_export_that_derives_can_begin_the_next_at_once(
    serve_cloud: ServeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(serve_cloud(), tmp_path / "out")
    begun, working, may_end = threading.Event(), threading.Event(), threading.Event()

    def slow(*told: Any, **more: Any) -> Any:
        begun.set()
        working.set()
        try:
            may_end.wait()
            return conclude(*told, **more)
        finally:
            working.clear()

    with monkeypatch.context() as patched:
        patched.setattr(inventory, "conclude", slow)
        task = asyncio.create_task(export(settings, snapshot_id="one"))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not working.is_set()
    assert (await export(settings)).snapshot_id == "one"
    assert read_only_snapshot(tmp_path / "out").id == "one"


async def test_a_library_is_told_of_arguments_and_the_command_of_flags(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud | None], Exporter], tmp_path: Path
) -> None:
    cloud = serve_cloud()
    settings = settings_for(cloud, tmp_path / "out")
    await export(settings, snapshot_id="one")
    with pytest.raises(SettingsError, match=r"use replace=True .* or another snapshot_id"):
        await export(settings, snapshot_id="one")
    told = exporter_for(cloud).run("--output", str(tmp_path / "out"), "--snapshot-id", "one")
    assert told.code == 2
    assert "use --replace to replace it as a whole, or another --snapshot-id." in told.stderr


async def test_the_log_of_a_library_has_nothing_for_who_looks_for_a_fault(
    serve_cloud: ServeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], split_early: None
) -> None:
    structlog.reset_defaults()
    try:
        # Its listings are split, and each part of them is told of below the level of a night.
        await export(settings_for(serve_cloud(), tmp_path / "out"))
    finally:
        structlog.reset_defaults()
    assert "[info" in (written := capsys.readouterr().err)
    assert "[debug" not in written


def test_settings_made_in_python_are_refused_in_the_command_lines_words() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.model_validate({"scope": {"regstries": []}, "limits": {"concurrency": "many"}})
    assert str(refused.value).splitlines() == [
        "scope.regstries: there is no such setting; did you mean scope.registries?",
        "limits.concurrency: a whole number is needed.",
    ]
    with pytest.raises(SettingsError, match=r"^keep: one of last, daily"):
        Output.model_validate({"keep": {"last": 0}})


async def test_a_program_reads_the_settings_file_of_the_command(
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud | None], Exporter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = serve_cloud()
    file = exporter_for(cloud).write_config()
    monkeypatch.setenv("REGISTRY_IAM_TOKEN", cloud.token)
    manifest = await export(Settings.from_file(file, {"output": {"url": str(tmp_path / "own")}}))
    assert snapshot_ids(tmp_path / "own") == [manifest.snapshot_id]
    file.write_text(file.read_text().replace("page_size", "pagesize"))
    with pytest.raises(SettingsError, match=r"settings\.yaml, line \d+: .* limits\.page_size\?"):
        Settings.from_file(file)
