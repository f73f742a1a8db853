"""A wall clock that is set while a run goes on does not turn its times round."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from exporter import clock
from exporter.emulator import Behaviour
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

AN_HOUR = timedelta(hours=1)


@pytest.mark.parametrize("step", [-AN_HOUR, AN_HOUR], ids=["back", "forth"])
def test_a_clock_that_is_set_by_an_hour_changes_no_duration(
    step: timedelta,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = serve_cloud()
    began = datetime.now(UTC)
    moments = iter([began])
    monkeypatch.setattr(clock, "wall", lambda: next(moments, datetime.now(UTC) + step))
    snapshot = exporter_for(cloud).export()
    check_against(snapshot, world_of(cloud.estate))
    manifest = snapshot.manifest
    started, finished = (
        datetime.fromisoformat(manifest[name]) for name in ("started_at", "finished_at")
    )
    assert began <= started <= finished < started + AN_HOUR / 2
    for row in snapshot.tables["coverage"]:
        began, ended = (datetime.fromisoformat(row[name]) for name in ("started_at", "finished_at"))
        assert started <= began <= ended <= finished, row


def test_a_run_gone_on_with_after_the_clock_was_set_back_ends_after_it_began(
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = serve_cloud(behaviour=Behaviour(latency=0.005))
    exporter = exporter_for(cloud)
    process = exporter.start()
    cloud.calls.after(5, lambda: process.signal(signal.SIGTERM))
    assert process.wait().code == 143
    monkeypatch.setattr(clock, "wall", lambda: datetime.now(UTC) - AN_HOUR)
    snapshot = exporter.export()
    started, finished = (
        datetime.fromisoformat(snapshot.manifest[name]) for name in ("started_at", "finished_at")
    )
    assert started < finished < started + AN_HOUR / 2
    check_against(snapshot, world_of(cloud.estate))


def test_a_snapshot_from_the_future_is_said_so_by_the_commands(
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = exporter_for(serve_cloud())
    exporter.export(snapshot_id="now")
    with monkeypatch.context() as ahead:
        ahead.setattr(clock, "wall", lambda: datetime.now(UTC) + timedelta(days=400))
        exporter.export(snapshot_id="ahead")
    config = str(exporter.write_config())
    listed = exporter.command("list", "--config", config)
    assert listed.code == 0, listed.stderr
    (line,) = (line for line in listed.stdout.splitlines() if "from the future" in line)
    assert "ahead" in line
    assert "now" in listed.stdout
    verified = exporter.command("verify", "ahead", "--config", config)
    assert verified.code == 0, verified.stdout
    assert "It is from the future" in verified.stdout
