"""A resumed run finds stored pages that were asked for in different sizes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from exporter.crawl.task import Task
from exporter.http.types import Call
from exporter.page import Note
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scans import ALONE, WHOLE_REGISTRY, Scans
from exporter.sources.cloud.split.state import ListingState

STORED = {"crp1/halved": "50", "crp1/whole": "100"}


def test_a_stored_page_is_found_whatever_size_other_scans_have_come_to() -> None:
    def is_stored(call: Call, attempt: int) -> bool:
        params = dict(call.params)
        return attempt == 0 and STORED.get(params["repositoryName"]) == params["pageSize"]

    context = SimpleNamespace(
        split=True,
        wanted=SimpleNamespace(all_repositories=True),
        pages=SimpleNamespace(is_stored=is_stored),
        store=SimpleNamespace(notes=lambda one: {Note(one, WHOLE_REGISTRY, ALONE)}),
        page_size=100,
        fallback=0,
        policy=SplitPolicy(),
    )
    scans = Scans(
        "crp1", cast(Context, context), ListingState(may_split=True), lambda _: cast(Task, None)
    )
    sizes = {}
    for name in [*STORED, "crp1/new"]:
        scan = scans.begin(Direction.ASCENDING, name, queue=False)
        sizes[name] = (scan.page_size, scans.replay.has(scan))
    assert sizes == {
        "crp1/halved": (50, True),
        "crp1/whole": (100, True),
        "crp1/new": (50, False),
    }
