"""A registry's listing comes to its end, whatever becomes of what has to be listed again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from exporter.crawl.coverage import Coverage
from exporter.crawl.page_store import NullPageStore
from exporter.crawl.pipeline import Cost
from exporter.crawl.progress import Progress
from exporter.crawl.task import Task
from exporter.settings import Scope
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import ListingState, Phase
from exporter.sources.cloud.summary import Images

APP = "crp1/app"
MOST_BEGUN = 10
LAST_PAGE = Images(
    listed=2,
    rows=2,
    layers=0,
    names={APP: 2},
    nameless=False,
    order=None,
    ids=("i1", "i1"),
    cut=None,
    next_token="",
    cost=Cost(1, 0, 0),
)


def context() -> Context:
    """Return the context of a run that asks for nothing, and in which nothing was stored."""
    return Context(
        pages=cast(Pages, SimpleNamespace(resumes=False)),
        store=NullPageStore(),
        wanted=ScopeFilter(Scope()),
        page_size=10,
        sample_size=10,
        slots=4,
        split=True,
        queue=lambda _: None,
        refresh=lambda _: None,
        may_prefetch=lambda _: False,
    )


@pytest.mark.parametrize("scope", [APP, None])
def test_a_scope_that_cannot_be_listed_again_is_not_listed_again_without_end(
    scope: str | None,
) -> None:
    entry = Coverage(Progress()).open("images", "crp1")
    state = ListingState(may_split=True)
    scans = Scans("crp1", context(), state, lambda _: cast(Task, None))
    closing = Closing(scans, state, entry, context(), lambda: closing.refreshed([], whole=True))
    closing.repositories_listed([APP], (), whole=True)
    scans.begin_whole(may_split=True)
    state.enter(Phase.SPLIT)
    shown_twice = Scan(scans.registry_call, Direction.ASCENDING, scope, 10, 0, SplitPolicy())
    shown_twice.observed.proof.add(LAST_PAGE.ids, in_order=False)
    scans.open.clear()
    shown_twice.advance(LAST_PAGE)
    closing.scan_ended(shown_twice)
    closing.settle()
    readings = 0
    while scans.open:
        readings += 1
        assert readings < MOST_BEGUN, "it is listed again without end"
        scans.open.clear()
        closing.gone(APP)
        closing.settle()
    assert state.is_done
    assert entry.status == "complete"
