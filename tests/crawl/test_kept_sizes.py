"""A run that is taken up again finds pages that were asked for in different sizes."""

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

KEPT = {"crp1/halved": "50", "crp1/whole": "100"}


def test_a_kept_page_is_found_whatever_size_other_chains_have_come_to() -> None:
    def is_stored(call: Call, attempt: int) -> bool:
        params = dict(call.params)
        return attempt == 0 and KEPT.get(params["repositoryName"]) == params["pageSize"]

    context = SimpleNamespace(
        split=True,
        wanted=SimpleNamespace(all_repositories=True),
        pages=SimpleNamespace(is_stored=is_stored),
        store=SimpleNamespace(notes=lambda one: {Note(one, WHOLE_REGISTRY, ALONE)}),
        page_size=100,
        fallback=0,
        policy=SplitPolicy(),
    )
    chains = Scans("crp1", cast(Context, context), lambda _: cast(Task, None))
    sizes = {}
    for name in [*KEPT, "crp1/new"]:
        chain = chains.begin(Direction.ASCENDING, name, queue=False)
        sizes[name] = (chain.page_size, chain in chains.replay)
    assert sizes == {
        "crp1/halved": (50, True),
        "crp1/whole": (100, True),
        "crp1/new": (50, False),
    }
