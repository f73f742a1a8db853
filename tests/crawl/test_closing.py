"""A registry's listing comes to its end, whatever becomes of what has to be listed again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from exporter.crawl.coverage import Coverage
from exporter.crawl.progress import Progress
from exporter.http.types import Call
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans

POLICY = SplitPolicy()
APP = "crp1/app"
MOST_BEGUN = 10


def not_whole(repository: str | None) -> Scan:
    """Return a chain that has come to its end and has shown an image twice."""
    call = Call("container_registry", "/images", (), "images")
    chain = Scan(call, Direction.ASCENDING, repository, 10, 0, POLICY)
    chain.proof.add(["i1", "i1"], in_order=False)
    return chain


@pytest.mark.parametrize("scope", [APP, None])
def test_a_scope_that_cannot_be_listed_again_is_not_listed_again_without_end(
    scope: str | None,
) -> None:
    begun: list[str | None] = []
    opened: set[Any] = set()

    def begin(_direction: Direction, name: str | None, *, reading: int) -> None:
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
        partition=RepositoryPartition([APP], 0, POLICY),
    )
    wanted = SimpleNamespace(all_repositories=True)
    entry = Coverage(Progress()).open("images", "crp1")
    closing = Closing(
        cast(Scans, chains),
        entry,
        cast(Context, SimpleNamespace(wanted=wanted, policy=POLICY)),
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
