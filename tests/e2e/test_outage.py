"""A cloud that is down for a while, or for good: nothing is lost, and nothing published in part."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from exporter.emulator import Behaviour, Fault, Faults, Outage, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud, page_asked
from tests.e2e.commands import Exporter
from tests.e2e.waiting import answered, until
from tests.e2e.worlds import check_against, world_of

SHAPE = Shape(clouds=2, folders=4, registries=6, repositories=24, images=400, layers=2)
STEADY = Behaviour(latency=0.002, reshuffle=False)
LIMITS = {"page_size": 10, "concurrency": 4, "request_timeout": 2}


def test_a_cloud_that_cannot_be_reached_for_a_while_gives_the_same_snapshot(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY)
    exporter = exporter_for(cloud)
    cloud.calls.after(20, cloud.stop)
    process = exporter.start(sections={"limits": LIMITS})
    until(lambda: process.has_logged("host_does_not_answer"), "the outage is told", 60)
    cloud.go_on()
    run = process.wait()
    assert run.code == 0, run.stderr
    snapshot = run.snapshot()
    check_against(snapshot, world_of(cloud.estate))
    assert [event["event"] for event in run.events if event["event"].startswith("host_")] == [
        "host_does_not_answer",
        "host_answers_again",
    ]
    assert snapshot.manifest["requests"]["calls"] >= len(cloud.calls)


@pytest.mark.parametrize("fault", [Fault.HTTP_503, Fault.HTTP_429, Fault.HANG, Fault.HTML])
def test_a_cloud_that_answers_nobody_for_a_while_gives_the_same_snapshot(
    fault: Fault, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    faults = Faults(outages=(Outage(after=30, seconds=3.0, fault=fault),))
    cloud = serve_cloud(SHAPE, STEADY, faults)
    # On a busy machine a call may find no answer in time twice, for no outage.
    hangs = fault is Fault.HANG
    bounds = {"attempts": 8 if hangs else 2, "request_timeout": 2 if hangs else 60}
    snapshot = exporter_for(cloud).export({"limits": {**LIMITS, **bounds}})
    check_against(snapshot, world_of(cloud.estate))
    assert cloud.calls.stats()["faults"][fault] < 25, "calls hammer a cloud that is down"


def test_a_cloud_that_stays_down_ends_the_run_and_the_next_one_goes_on(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY)
    exporter = exporter_for(cloud)
    cloud.calls.after(30, cloud.stop)
    run = exporter.run(sections={"limits": {**LIMITS, "outage": "1s"}})
    assert run.code == 1, run.stderr
    assert run.published == []
    assert cloud.url.removeprefix("http://") in run.said
    assert "limits.outage" in run.said
    assert "run again: it resumes with what was listed" in run.said
    before = answered(cloud)
    assert len(before) >= 30
    cloud.go_on()
    cloud.calls.clear()
    after = exporter.run(sections={"limits": LIMITS})
    assert after.code == 0, after.stderr
    check_against(after.snapshot(), world_of(cloud.estate))
    assert not [call for call in cloud.calls if page_asked(call) in before]


@pytest.mark.parametrize("retry_after", [None, 0.5], ids=["no Retry-After", "half a second"])
def test_a_cloud_that_refuses_every_call_ends_the_run_and_the_next_one_goes_on(
    retry_after: float | None, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    storm = Outage(after=30, seconds=1e6, fault=Fault.HTTP_429)
    cloud = serve_cloud(SHAPE, STEADY, Faults(outages=(storm,), retry_after=retry_after))
    exporter = exporter_for(cloud)
    run = exporter.run(sections={"limits": {**LIMITS, "attempts": 3, "outage": "3s"}})
    assert run.code == 1, run.stderr
    assert run.published == []
    assert f"{cloud.url} has refused every call for " in run.said
    assert "429 RESOURCE_EXHAUSTED" in run.said
    assert "check the quota of these credentials" in run.said
    assert "run again: it resumes with what was listed" in run.said
    assert cloud.calls.stats()["statuses"]["429"] < 30
    before = answered(cloud)
    cloud.mend()
    cloud.calls.clear()
    after = exporter.run(sections={"limits": LIMITS})
    assert after.code == 0, after.stderr
    check_against(after.snapshot(), world_of(cloud.estate))
    assert not [call for call in cloud.calls if page_asked(call) in before]


def test_a_cloud_that_is_down_at_the_start_is_waited_for(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY)
    exporter = exporter_for(cloud)
    cloud.stop()
    process = exporter.start(sections={"limits": LIMITS, "domain": cloud.url})
    until(lambda: process.has_logged("host_does_not_answer"), "the outage is told", 60)
    cloud.go_on()
    run = process.wait()
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


def test_a_run_that_waits_for_a_cloud_is_stopped_as_any_other(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY)
    exporter = exporter_for(cloud)
    cloud.calls.after(20, cloud.stop)
    process = exporter.start(sections={"limits": LIMITS})
    until(lambda: process.has_logged("host_does_not_answer"), "the outage is told", 60)
    process.signal(signal.SIGTERM)
    run = process.wait()
    assert run.code == 143, run.stderr
    cloud.go_on()
    again = exporter.run(sections={"limits": LIMITS})
    assert again.code == 0, again.stderr
    check_against(again.snapshot(), world_of(cloud.estate))


def test_a_plan_says_that_the_cloud_is_down_and_fails(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(faults=Faults(outages=(Outage(2, 1e6, Fault.HTTP_503),)))
    exporter = exporter_for(cloud)
    config = exporter.write_config({"limits": {"outage": "0s", "attempts": 2}})
    run = exporter.command("plan", "--config", str(config))
    assert run.code == 1, run.stderr
    assert f"{cloud.url} does not answer" in run.said
    assert "503" in run.said


@pytest.mark.parametrize("status", ["503", "429"])
def test_one_registry_that_fails_beside_others_is_failed_in_a_partial_snapshot(
    status: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY)
    broken = next(cloud.estate.registries())["id"]
    fault = partial(replace, Faults(in_a_row=1_000_000, retry_after=None))
    cloud.faults = fault(rates={status: 1.0}, scopes=frozenset({broken}))
    snapshot = exporter_for(cloud).export({"limits": {**LIMITS, "attempts": 3}})
    # As many for its images as for its repositories: no shorter page is of any use.
    assert len([call for call in cloud.calls if call.status == int(status)]) <= 3 * 3
    assert snapshot.manifest["status"] == "partial"
    bad = {parent for (_, parent), status in snapshot.statuses().items() if status != "complete"}
    assert bad == {broken}
