"""Signals, and a second run: what is staged is kept, and the holder of an output is named."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest

from exporter.cli.process.signals import GRACE
from exporter.emulator import Behaviour, Faults, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud, page_asked
from tests.e2e.commands import Exporter
from tests.e2e.waiting import until, until_all_is_staged
from tests.e2e.worlds import check_against, world_of

SHAPE = Shape(clouds=1, folders=2, registries=4, repositories=12, images=200, layers=3)
TEN_TIMES_THE_GRACE = 10 * GRACE
"""Seconds; a run that hangs would never end."""
LIMITS = {"limits": {"page_size": 10, "concurrency": 4}}
HANGING = Faults({"hang": 1.0}, in_a_row=1_000_000)


def hang(cloud: Cloud) -> None:
    cloud.faults = HANGING


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_the_run_and_the_next_goes_on(
    number: signal.Signals,
    code: int,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(reshuffle=False))
    exporter = exporter_for(cloud)
    # The server hangs, so that the calls under way do not end by themselves.
    cloud.calls.after(8, lambda: hang(cloud))
    process = exporter.start(sections=LIMITS)
    staged = until_all_is_staged(cloud, exporter.output)
    process.signal(number)
    run = process.wait(TEN_TIMES_THE_GRACE)
    assert run.code == code, run.stderr
    assert run.published == []
    assert "Traceback" not in run.stderr
    cloud.mend()
    cloud.calls.clear()
    again = exporter.run(sections=LIMITS)
    assert again.code == 0, again.stderr
    check_against(again.snapshot(), world_of(cloud.estate))
    assert not [call for call in cloud.calls if page_asked(call) in staged]


def test_a_second_run_on_the_same_output_ends_at_once_and_names_the_first(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = exporter.start(sections=LIMITS)
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    asked = cloud.calls.in_flight
    second = exporter.run(sections=LIMITS)
    assert second.code == 11, second.stderr
    assert str(first.pid) in second.said
    assert socket.gethostname() in second.said
    assert cloud.calls.in_flight == asked, "the second run made calls"
    cloud.mend()
    first.signal(signal.SIGTERM)
    assert first.wait().code == 143
    third = exporter.run(sections=LIMITS)
    assert third.code == 0, third.stderr


def test_a_second_run_that_stages_elsewhere_is_a_second_run_on_the_output_too(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = exporter.start(sections=LIMITS)
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    elsewhere = {"output": {"staging": str(exporter.folder / "elsewhere")}}
    second = exporter.run(sections={**LIMITS, **elsewhere})
    assert second.code == 11, second.stderr
    assert str(first.pid) in second.said
    first.signal(signal.SIGTERM)
    assert first.wait().code == 143
    cloud.mend()
    third = exporter.run(sections={**LIMITS, **elsewhere})
    assert third.code == 0, third.stderr
    check_against(third.snapshot(), world_of(cloud.estate))


def test_a_second_run_that_may_wait_goes_on_once_the_first_has_ended(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = exporter.start("--snapshot-id", "first", sections=LIMITS)
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    second = exporter.start("--snapshot-id", "second", "--wait", "10m", sections=LIMITS)
    impatient = exporter.run("--wait", "0.5s", sections=LIMITS)
    assert impatient.code == 11, impatient.stderr
    cloud.mend()
    first.signal(signal.SIGTERM)
    assert first.wait().code == 143
    run = second.wait()
    assert run.code == 0, run.stderr
    assert run.published == ["second"]


def test_runs_that_wait_for_each_other_take_ids_of_their_own(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    exporter = exporter_for(serve_cloud())
    # At once, so that most or all of them would take the id of the same second.
    waiting = [exporter.start("--wait", "10m", sections=LIMITS) for _ in range(3)]
    runs = [process.wait() for process in waiting]
    assert [run.code for run in runs] == [0, 0, 0], [run.said for run in runs]
    assert len(runs[0].published) == 3
    for run in runs:
        (finished,) = [event for event in run.events if event["event"] == "export_finished"]
        # A slow run tells of its progress before it holds the output, and has no id then.
        told = {event["snapshot_id"] for event in run.events if event["event"] != "progress"}
        assert told == {finished["snapshot_id"]}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_a_command_that_keeps_nothing_in_a_sentence(
    number: signal.Signals,
    code: int,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    process = exporter.start_command("plan", "--config", str(exporter.write_config()))
    until(lambda: cloud.calls.in_flight > 0, "the plan asks for something")
    process.signal(number)
    run = process.wait()
    assert run.code == code, run.stderr
    assert run.said == f"registry-exporter: Stopped by {number.name}."


def test_a_dead_holders_lock_does_not_block(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = exporter.start(sections=LIMITS)
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait().code == -signal.SIGKILL
    cloud.mend()
    run = exporter.run(sections=LIMITS)
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


def test_two_runs_on_two_outputs_do_not_meet(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, faults=HANGING)
    exporter = exporter_for(cloud)
    first = exporter.start(sections={"output": {"url": str(exporter.folder / "elsewhere")}})
    until(lambda: cloud.calls.in_flight > 0, "the first run asks for something")
    cloud.mend()
    run = exporter.run(sections=LIMITS)
    assert run.code == 0, run.stderr
    first.signal(signal.SIGTERM)
    assert first.wait().code == 143
