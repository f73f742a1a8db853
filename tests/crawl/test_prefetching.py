"""A scan's next page is asked for before the one in hand is decoded, and given up if in vain."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from exporter.crawl import pipeline
from exporter.crawl.decoders import Decoders
from exporter.emulator import Behaviour, Estate, LoggedCall, Shape
from exporter.http.types import Call
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.split.policy import SplitPolicy
from tests.crawl.model import Image, Memory, World, walk
from tests.crawl.world import (
    GIANT_REGISTRY,
    GIANT_REPOSITORY,
    MANY_SMALL,
    check_rows,
    crawl,
    on_answer,
    serve,
    split_early,
)

T = TypeVar("T")
SLOW = Behaviour(latency=0.003, jitter=0.003)


async def test_the_next_page_is_asked_for_while_the_one_in_hand_is_decoded(
    tmp_path: Path,
) -> None:
    estate = Estate(GIANT_REPOSITORY)
    answered: list[LoggedCall] = []
    two_answered = asyncio.Event()

    def note(call: LoggedCall) -> None:
        if call.path.endswith("/images"):
            answered.append(call)
        if len(answered) == 2:
            two_answered.set()

    class Late(Decoders):
        """Decodes no page before two calls for images were answered."""

        async def run(self, decode: Callable[[bytes], T], body: bytes, *, weight: float) -> T:
            async with asyncio.timeout(200):
                await two_answered.wait()
            return await super().run(decode, body, weight=weight)

    async with serve(estate, SLOW) as emulator:
        on_answer(emulator, note)
        whole = {"split_listings": False}
        done = await crawl(emulator.url, tmp_path, decoders=Late, limits=whole)
    check_rows(done, estate)


@pytest.mark.parametrize(
    "server",
    [SLOW, replace(SLOW, order_by="ignored"), replace(SLOW, descending="ignored")],
    ids=["in order", "in no order", "not downwards"],
)
@pytest.mark.parametrize(
    "shape",
    [GIANT_REGISTRY, GIANT_REPOSITORY, MANY_SMALL],
    ids=["registry", "repository", "many small"],
)
async def test_calls_in_vain_are_counted_where_they_were_made(
    shape: Shape, server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_early(monkeypatch)
    async with serve(Estate(shape), server) as emulator:
        done = await crawl(emulator.url, tmp_path)
    assert sum(entry.calls for entry in done.coverage.entries()) == done.calls
    assert done.coverage.complete


def one_repository(images: int, page_size: int) -> World:
    return World(
        tuple(Image(f"a {at}", "a", at) for at in range(images)),
        frozenset({"a"}),
        page_size=page_size,
        policy=SplitPolicy(min_seconds_before_down=0.0),
    )


async def test_a_call_that_nothing_is_wanted_of_any_more_is_not_waited_for() -> None:
    def seconds(params: Mapping[str, str]) -> float:
        return 3600.0 * ("desc" in params.get("orderBy", ""))

    world = replace(one_repository(120, 10), seconds=seconds)
    async with asyncio.timeout(200):
        done = await walk(world, Memory(), random.Random(1))
    assert done.entry.status == "complete"
    assert set(done.memory.staged().values()) == {1}
    assert len(done.memory.staged()) == 120
    assert done.entry.calls == done.calls  # The one that was given up as well.


async def test_two_scans_that_meet_ask_for_hardly_a_page_in_vain() -> None:
    for seed in range(8):
        done = await walk(
            replace(one_repository(400, 10), seed=seed), Memory(), random.Random(seed)
        )
        assert len(done.memory.staged()) == 400
        # The page on which they meet, and one that either asks for beyond it.
        assert done.calls <= 40 + 3


def test_a_token_that_was_given_before_leads_to_no_page() -> None:
    cursor = PageCursor(Call("container_registry", "/images", (), "images"), page_size=5)
    cursor.advance("one", items=5)
    following = cursor.following("two")
    assert following is not None
    assert dict(following.params) == {"pageSize": "5", "pageToken": "two"}
    assert cursor.following("one") is None


@pytest.mark.parametrize("slots", [1, 2, 5])
async def test_with_few_slots_every_image_is_staged_once(
    slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_early(monkeypatch)
    # So small that pages asked for ahead would fill it, were they not sure to go on.
    monkeypatch.setattr(pipeline, "PAGE_BYTES_IN_FLIGHT", 4 * 1024)
    estate = Estate(MANY_SMALL)
    async with serve(estate, SLOW) as emulator:
        run = partial(crawl, emulator.url, tmp_path, limits={"concurrency": slots, "page_size": 3})
        async with asyncio.timeout(200):
            done = await run()
    check_rows(done, estate)
