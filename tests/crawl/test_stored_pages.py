"""A resumed run finds its stored pages, in whatever size and order they were asked for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from exporter.crawl.task import Task
from exporter.http.types import Call
from exporter.page import Note
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction, order_fallbacks
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scans import ALONE, WHOLE_REGISTRY, Scans
from exporter.sources.cloud.split.state import ListingState

STORED = {"crp1/halved": "50", "crp1/whole": "100"}


def resumed_scans(is_stored: Callable[[Call, int], bool], *, fallback: int = 0) -> Scans:
    """Return the scans of a registry that an earlier attempt has split; some pages are stored.

    Its own scan has asked for `fallback` orders that the API refused.
    """
    context = SimpleNamespace(
        split=True,
        wanted=SimpleNamespace(all_repositories=True),
        pages=SimpleNamespace(is_stored=is_stored, resumes=True),
        store=SimpleNamespace(notes=lambda one: {Note(one, WHOLE_REGISTRY, ALONE)}),
        page_size=100,
        fallback=fallback,
        policy=SplitPolicy(),
    )
    state = ListingState(may_split=True)
    return Scans("crp1", cast(Context, context), state, lambda _: cast(Task, None))


def test_a_stored_page_is_found_whatever_size_other_scans_have_come_to() -> None:
    def is_stored(call: Call, attempt: int) -> bool:
        params = dict(call.params)
        return attempt == 0 and STORED.get(params["repositoryName"]) == params["pageSize"]

    scans = resumed_scans(is_stored)
    sizes = {}
    for name in [*STORED, "crp1/new"]:
        scan = scans.begin(Direction.ASCENDING, name, queue=False)
        sizes[name] = (scan.page_size, scans.replay.has(scan))
    assert sizes == {
        "crp1/halved": (50, True),
        "crp1/whole": (100, True),
        "crp1/new": (50, False),
    }


def test_a_repository_begins_in_no_order_where_its_registry_was_refused_all() -> None:
    refused = len(order_fallbacks(Direction.ASCENDING, None)) - 1
    scans = resumed_scans(lambda _call, _attempt: False, fallback=refused)
    scan = scans.begin(Direction.ASCENDING, "crp1/new", queue=False)
    assert scan.cursor.call is not None
    assert "orderBy" not in dict(scan.cursor.call.params)
