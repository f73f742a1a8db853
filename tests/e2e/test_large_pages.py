"""Pages that are too large for what is in between: fewer items are asked for, and none is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Literal

import pytest

from exporter.emulator import Behaviour, Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.e2e.worlds import check_against, world_of

ONE_REGISTRY = Shape(repositories=12, images=300, layers=4, empty_share=0.0)
SOME = Shape(clouds=2, folders=3, registries=4, repositories=30, images=300, layers=4)
LIMITS = {"page_size": 100, "attempts": 6, "outage": 0}
LIMIT = 24_000
"""Bytes of some twenty images."""


def gateway(**behaviour: Any) -> Behaviour:
    return Behaviour(largest_body=LIMIT, **behaviour)


@pytest.mark.parametrize(
    ("answer", "bound"),
    [("429", True), ("413", True), ("504", True), ("502", True), ("cut", True), ("cut", False)],
    ids=["429", "413", "504", "502", "cut", "cut, free tokens"],
)
def test_a_gateway_that_refuses_large_answers_hides_nothing(
    answer: Literal["429", "413", "504", "502", "cut"],
    bound: bool,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SOME, gateway(past_largest=answer, bound_to_size=bound))
    snapshot = exporter_for(cloud).export({"limits": LIMITS})
    check_against(snapshot, world_of(cloud.estate))
    assert snapshot.manifest["status"] == "complete"


@pytest.mark.usefixtures("split_early")
@pytest.mark.parametrize("bound", [True, False], ids=["bound tokens", "free tokens"])
def test_a_registry_that_is_split_behind_such_a_gateway_is_whole(
    bound: bool, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    behaviour = gateway(latency=0.005, jitter=0.005, bound_to_size=bound)
    cloud = serve_cloud(ONE_REGISTRY, behaviour)
    snapshot = exporter_for(cloud).export({"limits": {**LIMITS, "concurrency": 12}})
    check_against(snapshot, world_of(cloud.estate))
    assert snapshot.manifest["requests"]["calls"] < 150


def test_small_registries_listed_together_behind_such_a_gateway_are_whole(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(clouds=1, folders=1, registries=12, repositories=24, images=100, layers=4)
    cloud = serve_cloud(shape)
    exporter = exporter_for(cloud)
    exporter.export({"limits": LIMITS}, snapshot_id="first")
    cloud.behaviour = gateway()
    snapshot = exporter.export({"limits": LIMITS}, snapshot_id="second")
    check_against(snapshot, world_of(cloud.estate))
    assert [call for call in cloud.calls.of("images") if "folderId" in call.query]


def test_our_own_limit_halves_pages_and_is_told(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(ONE_REGISTRY)
    run = exporter_for(cloud).run(sections={"limits": {**LIMITS, "max_page_bytes": LIMIT}})
    assert run.code == 0, run.stderr
    check_against(run.snapshot(), world_of(cloud.estate))
    told = [event for event in run.events if event["event"] == "page_size_halved"]
    assert told
    assert all("is larger than" in event["reason"] for event in told)


@pytest.mark.parametrize("own", [True, False], ids=["our limit", "a gateway's"])
def test_an_image_that_is_too_large_alone_fails_its_listing_in_a_sentence(
    own: bool, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    shape = Shape(repositories=2, images=4, layers=40, empty_share=0.0)
    cloud = serve_cloud(shape, Behaviour() if own else Behaviour(largest_body=2_000))
    limits = {**LIMITS, "max_page_bytes": 2_000 if own else 1 << 20}
    snapshot = exporter_for(cloud).export({"limits": limits})
    assert snapshot.manifest["status"] == "partial"
    (row,) = [row for row in snapshot.tables["coverage"] if row["listing"] == "images"]
    assert row["status"] == "failed"
    assert "a page of one item was asked for" in row["message"]
    advice = "raise limits.max_page_bytes" if own else "have the gateway in front of the API let"
    # What was tried stands before what to do.
    assert f"; {advice}" in row["message"]
    assert ("times did not help; raise" in row["message"]) == own


def test_pages_that_were_halved_are_not_asked_for_again_after_a_kill(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(ONE_REGISTRY, gateway(latency=0.005, reshuffle=False))
    exporter = exporter_for(cloud)
    process = exporter.start(sections={"limits": LIMITS}, split_early=True)
    cloud.calls.after(8, lambda: process.signal(signal.SIGKILL))
    assert process.wait().code == -signal.SIGKILL
    again = exporter.start(sections={"limits": LIMITS}, split_early=True).wait()
    assert again.code == 0, again.stderr
    check_against(again.snapshot(), world_of(cloud.estate))


def test_refusals_of_large_answers_teach_no_rate(
    serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SOME, gateway())
    run = exporter_for(cloud).run(sections={"limits": LIMITS})
    assert run.code == 0, run.stderr
    assert cloud.calls.stats()["statuses"]["429"] >= 5
    assert [event for event in run.events if event["event"] == "limiter_lowered"] == []
