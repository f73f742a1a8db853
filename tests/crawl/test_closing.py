"""A registry's listing comes to its end, whatever becomes of what has to be listed again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from exporter.api import Call
from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain
from exporter.crawl.chains import Chains
from exporter.crawl.closing import Closing
from exporter.crawl.context import Context
from exporter.crawl.ledger import Ledger
from exporter.crawl.ordering import Mode
from exporter.crawl.progress import Progress

APP = "crp1/app"
MOST_BEGUN = 10


def not_whole(repository: str | None) -> ImagesChain:
    """Return a chain that has come to its end and has shown an image twice."""
    call = Call("container_registry", "/images", (), "images")
    chain = ImagesChain(call, Mode.UP, repository, 10, 0)
    chain.proof.add(["i1", "i1"], in_order=False)
    return chain


@pytest.mark.parametrize("scope", [APP, None])
def test_a_scope_that_cannot_be_listed_again_is_not_listed_again_without_end(
    scope: str | None,
) -> None:
    begun: list[str | None] = []
    opened: set[Any] = set()

    def begin(_mode: Mode, name: str | None, *, reading: int) -> None:
        begun.append(name)
        assert len(begun) < MOST_BEGUN, "it is listed again without end"
        opened.add((name, reading))

    chains = SimpleNamespace(
        open=opened,
        trusted=True,
        alone=True,
        up=object(),
        settled=True,
        begin=begin,
        begin_alone=lambda _: None,
        block=Block([APP]),
    )
    wanted = SimpleNamespace(all_repositories=True)
    entry = Ledger(Progress()).open("images", "crp1")
    closing = Closing(
        cast(Chains, chains),
        entry,
        cast(Context, SimpleNamespace(wanted=wanted)),
        lambda: closing.refreshed([], whole=True),
    )
    closing.listed = True
    closing.ended(not_whole(scope))
    closing.settle()
    while opened:
        opened.clear()
        closing.gone(APP)
        closing.settle()
    assert entry.status == "complete"
    assert len(begun) == (scope is not None)
