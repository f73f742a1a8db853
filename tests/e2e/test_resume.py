"""A run that is killed goes on where it was: the truth, and hardly a page asked for twice."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from exporter.emulator import Behaviour, Faults, LoggedCall, Quirks, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud, page_asked
from tests.e2e.commands import Exporter
from tests.e2e.waiting import answered, until_all_is_staged
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import FORMATS

SHAPE = Shape(clouds=2, folders=4, registries=6, repositories=24, images=600, layers=3)
LIMITS = {"limits": {"page_size": 10, "concurrency": 4}}
# Without this the emulator's unordered chains differ from run to run, as the API's may.
STEADY_ORDER = Behaviour(latency=0.005, reshuffle=False)


KILLED = {
    "many registries": SHAPE,
    "a giant registry": Shape(repositories=24, images=500, layers=3, empty_share=0.0),
    "a giant repository": Shape(repositories=1, images=500, layers=3, empty_share=0.0),
    "values that cannot be read": replace(
        SHAPE, quirks=Quirks(snake_case=True, numbers=True, offset_times=True, bad_values=True)
    ),
}


# From before the first page to the end, where the last kills find the run publishing.
@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("many registries", 3),
        ("values that cannot be read", 17),
        ("a giant registry", 33),
        ("a giant repository", 48),
        ("many registries", 64),
    ],
)
def test_killed_at_any_moment_the_next_run_ends_with_the_truth(
    name: str, calls: int, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(KILLED[name], Behaviour(latency=0.005))
    exporter = exporter_for(cloud)
    process = exporter.start("--snapshot-id", "night", sections=LIMITS, split_early=True)
    cloud.calls.after(calls, lambda: process.signal(signal.SIGKILL), lambda _: True)
    killed = process.wait()
    assert killed.code in (-signal.SIGKILL, 0)
    if killed.code:
        assert killed.published == []
        again = exporter.start("--snapshot-id", "night", sections=LIMITS, split_early=True)
        run = again.wait()
        assert run.code == 0, run.stderr
    check_against(exporter.read().snapshot(), world_of(cloud.estate))


def test_pages_that_were_durably_staged_are_not_asked_for_again(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY_ORDER)
    exporter = exporter_for(cloud)

    def stop_answering() -> None:
        cloud.faults = Faults({"hang": 1.0}, in_a_row=1_000_000)

    cloud.calls.after(30, stop_answering)
    process = exporter.start(sections=LIMITS)
    staged = until_all_is_staged(cloud, exporter.output)
    assert len(staged) >= 30
    process.signal(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL

    cloud.mend()
    cloud.calls.clear()
    run = exporter.run(sections=LIMITS)
    assert run.code == 0, run.stderr
    assert not [call for call in cloud.calls if page_asked(call) in staged]
    snapshot = run.snapshot()
    check_against(snapshot, world_of(cloud.estate))


def test_what_was_sent_before_a_kill_is_counted_throttled_calls_too(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    discovery = frozenset({"clouds", "folders", "registries"})
    faults = Faults({"429": 1.0}, scopes=discovery, in_a_row=1)
    cloud = serve_cloud(SHAPE, STEADY_ORDER, faults)
    exporter = exporter_for(cloud)

    def stop_answering() -> None:
        cloud.faults = Faults({"hang": 1.0}, in_a_row=1_000_000)

    def is_found(call: LoggedCall) -> bool:
        return call.status == 200 and call.path.rpartition("/")[2] in discovery

    # Only once each of the calls that are throttled was answered with a page, so that all are told.
    cloud.calls.after(1 + SHAPE.clouds + SHAPE.folders, stop_answering, is_found)
    process = exporter.start(sections=LIMITS)
    until_all_is_staged(cloud, exporter.output)
    process.signal(signal.SIGKILL)
    process.wait()
    statuses = Counter(call.status for call in cloud.calls)
    assert statuses[429] == 1 + SHAPE.clouds + SHAPE.folders

    cloud.mend()
    cloud.calls.clear()
    run = exporter.run(sections=LIMITS)
    assert run.code == 0, run.stderr
    requests = run.snapshot().manifest["requests"]
    assert requests["throttled"] == requests["retries"] == statuses[429]
    # A page that was kept counts once it is taken up, and the second run may go another way.
    before = requests["calls"] - len(cloud.calls)
    assert 2 * statuses[429] <= before <= statuses[429] + statuses[200]


def test_a_run_killed_over_and_over_gets_there(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, Behaviour(latency=0.005))
    exporter = exporter_for(cloud)
    for calls in (5, 12, 20):
        process = exporter.start(sections=LIMITS)
        cloud.calls.after(calls, partial(process.signal, signal.SIGKILL))
        assert process.wait().code == -signal.SIGKILL
    run = exporter.run(sections=LIMITS)
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


@pytest.mark.parametrize("name", ["a giant registry", "a giant repository"])
def test_a_server_that_refuses_descending_is_gone_on_with_after_a_kill(
    name: str, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(KILLED[name], Behaviour(latency=0.01, descending="refused"))
    exporter = exporter_for(cloud)
    process = exporter.start(sections=LIMITS, split_early=True)
    cloud.calls.after(40, lambda: process.signal(signal.SIGTERM))
    assert process.wait().code == 143
    run = exporter.start(sections=LIMITS, split_early=True).wait()
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))


def test_with_fresh_what_was_staged_is_asked_for_again(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY_ORDER)
    exporter = exporter_for(cloud)
    process = exporter.start("--snapshot-id", "night", sections=LIMITS)
    cloud.calls.after(30, lambda: process.signal(signal.SIGTERM))
    assert process.wait().code == 143
    before = answered(cloud)
    cloud.calls.clear()
    run = exporter.run("--snapshot-id", "night", "--fresh", sections=LIMITS)
    assert run.code == 0, run.stderr
    discovery = {asked for asked in before if not asked[0].endswith("/images")}
    assert discovery <= {page_asked(call) for call in cloud.calls}
    check_against(run.snapshot(), world_of(cloud.estate))


def test_staging_older_than_the_setting_is_discarded_with_a_word(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY_ORDER)
    exporter = exporter_for(cloud)
    process = exporter.start("--snapshot-id", "night", sections=LIMITS)
    cloud.calls.after(30, lambda: process.signal(signal.SIGTERM))
    assert process.wait().code == 143
    before = answered(cloud)
    cloud.calls.clear()
    old = {"output": {"resume_within": "0.001s"}}
    run = exporter.run("--snapshot-id", "night", sections={**LIMITS, **old})
    assert run.code == 0, run.stderr
    events = [event for event in run.events if event["event"] == "staging_discarded"]
    assert [event["reason"] for event in events] == ["older than output.resume_within"]
    assert {event["snapshot_id"] for event in run.events} == {"night"}
    assert len({event["run_id"] for event in run.events}) == 1
    discovery = {asked for asked in before if not asked[0].endswith("/images")}
    assert discovery <= {page_asked(call) for call in cloud.calls}
    check_against(run.snapshot(), world_of(cloud.estate))


def test_with_other_settings_staging_is_left_alone(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY_ORDER)
    exporter = exporter_for(cloud)
    process = exporter.start("--snapshot-id", "night", sections=LIMITS)
    cloud.calls.after(10, lambda: process.signal(signal.SIGKILL))
    assert process.wait().code == -signal.SIGKILL
    registry = next(cloud.estate.registries())["id"]
    run = exporter.run("--snapshot-id", "other", "--registry", registry, sections=LIMITS)
    assert run.code == 0, run.stderr
    assert {row["registry_id"] for row in run.snapshot().tables["registries"]} == {registry}
    refused = exporter.run("--snapshot-id", "night", "--registry", registry, sections=LIMITS)
    assert refused.code == 2, refused.stderr
    assert "night" in refused.said


@pytest.mark.parametrize(
    "change", [{"formats": ["parquet"]}, {"on_partial": "fail"}], ids=["formats", "on_partial"]
)
def test_what_was_about_to_be_published_otherwise_than_wanted_now_is_not(
    change: dict[str, Any], serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE, STEADY_ORDER)
    exporter = exporter_for(cloud)
    cloud.deny(next(cloud.estate.registries())["id"])
    in_the_way = exporter.output / "parquet" / "tags"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    # All is staged, a partial result, and some of it moved when the publication fails.
    assert exporter.run().code == 5
    in_the_way.unlink()
    cloud.deny()
    run = exporter.run(sections={"output": change})
    assert run.code == 0, run.stderr
    formats = tuple(change.get("formats", FORMATS))
    check_against(run.snapshot(formats), world_of(cloud.estate))
