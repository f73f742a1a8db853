"""A run that is taken up again finds pages that were asked for in different sizes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from exporter.api import Call
from exporter.crawl.chains import ALONE, WHOLE, Chains
from exporter.crawl.context import Context
from exporter.crawl.ordering import Mode
from exporter.crawl.scheduler import Job

KEPT = {"crp1/halved": "50", "crp1/whole": "100"}


def test_a_kept_page_is_found_whatever_size_other_chains_have_come_to() -> None:
    def is_kept(call: Call, attempt: int) -> bool:
        params = dict(call.params)
        return attempt == 0 and KEPT.get(params["repositoryName"]) == params["pageSize"]

    context = SimpleNamespace(
        split=True,
        wanted=SimpleNamespace(all_repositories=True),
        fetcher=SimpleNamespace(is_kept=is_kept),
        keeper=SimpleNamespace(claims=lambda: {"crp1": [(WHOLE, ALONE)]}),
        page_size=100,
        rung=0,
    )
    chains = Chains("crp1", cast(Context, context), lambda _: cast(Job, None))
    sizes = {}
    for name in [*KEPT, "crp1/new"]:
        chain = chains.begin(Mode.UP, name, queue=False)
        sizes[name] = (chain.page_size, chain in chains.replay)
    assert sizes == {
        "crp1/halved": (50, True),
        "crp1/whole": (100, True),
        "crp1/new": (50, False),
    }
