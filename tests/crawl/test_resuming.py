"""A crawl that was cancelled goes on where it was: the same rows, and hardly a page asked again."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from exporter.emulator import Behaviour, Emulator, Estate, Shape
from tests.crawl.world import (
    GIANT_REGISTRY,
    GIANT_REPOSITORY,
    MANY_SMALL,
    Outcome,
    check_rows,
    crawl,
    serve,
    split_early,
)

LATENCY = Behaviour(latency=0.003, jitter=0.003, reshuffle=False)


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    split_early(monkeypatch)


async def crawl_with_stops(
    emulator: Emulator, staging: Path, every: int, concurrency: int
) -> Outcome:
    """Crawl, cancelled after every so many new pages, until it comes to its end."""
    kept = 0
    while True:
        done = await crawl(
            emulator.url,
            staging,
            cancel_after=kept + every,
            limits={"concurrency": concurrency},
        )
        if done.images is not None:
            return done
        assert len(set(done.kept)) > kept, "an attempt got no further than the one before"
        kept = len(set(done.kept))


@pytest.mark.parametrize(("every", "concurrency"), [(7, 12), (20, 1)])
@pytest.mark.parametrize(
    "shape", [GIANT_REGISTRY, GIANT_REPOSITORY], ids=["registry", "repository"]
)
async def test_stopped_over_and_over_it_ends_with_the_same_rows(
    shape: Shape, every: int, concurrency: int, tmp_path: Path
) -> None:
    estate = Estate(shape)
    async with serve(estate, LATENCY) as emulator:
        done = await crawl_with_stops(emulator, tmp_path, every, concurrency)
    check_rows(done, estate)
    assert done.coverage.complete


@pytest.mark.parametrize("stop_after", [4, 15])
@pytest.mark.parametrize(
    "shape", [GIANT_REGISTRY, GIANT_REPOSITORY, MANY_SMALL], ids=["registry", "repository", "small"]
)
async def test_pages_that_were_kept_are_not_asked_for_again(
    shape: Shape, stop_after: int, tmp_path: Path
) -> None:
    estate = Estate(shape)
    async with serve(estate, LATENCY) as emulator:
        first = await crawl(emulator.url, tmp_path, cancel_after=stop_after)
        assert first.images is None
        emulator.calls.clear()
        done = await crawl(emulator.url, tmp_path)
        asked = {f"{call.path}?{urlencode(sorted(call.query.items()))}" for call in emulator.calls}
    kept = {"/" + key.partition("/")[2].rpartition("#")[0] for key in first.kept}
    # A registry that was split has its repositories listed a second time on purpose, at the end.
    again = {key for key in kept & asked if "/repositories" not in key}
    assert len(again) <= len(kept) / 10
    assert done.progress.recalled_pages >= len(first.kept) * 0.9
    check_rows(done, estate)
