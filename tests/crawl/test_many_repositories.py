"""The work of a split grows with the number of repositories, not with its square."""

from __future__ import annotations

import sys
from types import FrameType, SimpleNamespace
from typing import Any, cast

from exporter.crawl.task import Task
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import ListingState, Phase


def calls_of_a_split(repositories: int) -> int:
    """Return how many Python functions run to begin these repositories, and after a page each."""
    context = SimpleNamespace(
        split=True,
        wanted=SimpleNamespace(all_repositories=True),
        pages=SimpleNamespace(resumes=False),
        store=SimpleNamespace(notes=lambda _scope: frozenset()),
        page_size=1000,
        fallback=0,
        policy=SplitPolicy(),
        queue=lambda _task: None,
    )
    state = ListingState(may_split=True)
    scans = Scans("crp1", cast(Context, context), state, lambda _: cast(Task, None))
    state.enter(Phase.SPLIT)
    names = [f"crp1/{number}" for number in range(repositories)]
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        scans.begin_alone(names)
        for _ in names:
            assert not scans.settled
    finally:
        sys.setprofile(None)
    assert len(scans.open) == repositories
    return calls


def test_twice_as_many_repositories_take_twice_the_work() -> None:
    assert calls_of_a_split(800) < 2.5 * calls_of_a_split(400)
