"""Whatever the estate and the server are like, a crawl stages exactly the images there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.crawl.decoders import Decoders
from exporter.emulator import Behaviour, Estate, Faults, LoggedCall, Quirks, Shape, steady_images
from exporter.emulator.images import Repository
from exporter.sources.cloud.split.policy import SplitPolicy
from tests.crawl.world import (
    GIANT_REGISTRY,
    GIANT_REPOSITORY,
    MANY_SMALL,
    check_rows,
    crawl,
    fewest_pages,
    on_answer,
    repositories_asked,
    serve,
    split_early,
)
from tests.policies import SURE, use

SHAPES = {
    "giant registry": GIANT_REGISTRY,
    "giant repository": GIANT_REPOSITORY,
    "many small registries": MANY_SMALL,
}
SERVERS = {
    "keeps to orderBy": Behaviour(),
    "ignores orderBy": Behaviour(order_by="ignored"),
    "sorts as a language does": Behaviour(collation="words"),
    "refuses descending": Behaviour(descending="refused"),
    "ignores descending": Behaviour(descending="ignored"),
}
SLOW = Behaviour(latency=0.003, jitter=0.003)
EVEN = Shape(registries=30, repositories=120, images=1200, layers=1, registry_skew=0.0)


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    split_early(monkeypatch)


class Silent(Estate):
    """An estate whose repository lists leave out what `hidden` names, until it is shown."""

    def __init__(self, shape: Shape, hidden: frozenset[int] | None = None) -> None:
        super().__init__(shape)
        self.hidden = frozenset(range(shape.repositories)) if hidden is None else hidden

    def repository(self, number: int) -> Repository:
        return replace(super().repository(number), listed=number not in self.hidden)


# Small registries are never split, whatever the server makes of orders.
WAYS = [
    (shape, server)
    for shape in SHAPES
    for server in SERVERS
    if shape != "many small registries" or server in ("keeps to orderBy", "ignores orderBy")
]


@pytest.mark.parametrize(("shape", "server"), WAYS)
async def test_every_image_is_staged_once(shape: str, server: str, tmp_path: Path) -> None:
    estate, behaviour = Estate(SHAPES[shape]), SERVERS[server]
    async with serve(estate, replace(behaviour, latency=0.003, jitter=0.003)) as emulator:
        done = await crawl(emulator.url, tmp_path)
    # A server that breaks its order is found out late: what came twice is dropped by its key.
    honest = behaviour.order_by == "honoured" and behaviour.collation == "bytes"
    check_rows(done, estate, once=honest)
    assert done.coverage.complete
    assert done.repositories == sorted(each["name"] for each in estate.repositories())


class KeepsUp(Decoders):
    """Never behind with its work, however slow the machine is just now."""

    backlog = 0.0


class FallsBehind(Decoders):
    """Always behind with its work, however fast the machine is just now."""

    backlog = 1e9


async def test_a_giant_registry_is_spread_over_the_slots(tmp_path: Path) -> None:
    estate = Estate(GIANT_REGISTRY)
    async with serve(estate, replace(SLOW, latency=0.02)) as emulator:
        done = await crawl(emulator.url, tmp_path, decoders=KeepsUp)
        asked = repositories_asked(emulator.calls)
        # All other slots at once, when the front has shown its pace.
        assert len(asked) >= 8
        assert emulator.calls.max_in_flight >= 6
    check_rows(done, estate)


async def test_large_repositories_are_begun_first_once_a_sample_has_shown_them(
    tmp_path: Path,
) -> None:
    estate = Estate(replace(GIANT_REGISTRY, images=3000))
    sizes = Counter(image["name"] for image in estate.images())
    async with serve(estate, SLOW) as emulator:
        limits = {"page_size": 50, "concurrency": 4}
        done = await crawl(emulator.url, tmp_path, decoders=KeepsUp, limits=limits)
        asked = [call.query.get("repositoryName") for call in emulator.calls.of("images")]
    check_rows(done, estate)
    alone = list(dict.fromkeys(name for name in asked if name))
    assert set(alone) == sizes.keys()
    # Four at once, so the first to be answered are among the largest.
    assert max(sizes, key=lambda name: sizes[name]) in alone[:6]
    assert sum(sizes[name] for name in alone[:6]) > sum(sizes.values()) / 2


@pytest.mark.parametrize("shape", [GIANT_REGISTRY, EVEN], ids=["one registry", "thirty of a size"])
async def test_while_decoding_falls_behind_only_what_may_set_the_length_of_the_run_is_split(
    shape: Shape, tmp_path: Path
) -> None:
    estate = Estate(shape)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path, decoders=FallsBehind)
        met = {
            call.query["registryId"]
            for call in emulator.calls.of("images")
            if "desc" in call.query.get("orderBy", "")
        }
        # Of thirty, some of those are met that the slots are left with at the end.
        assert 1 <= len(met) <= 12
        assert repositories_asked(emulator.calls) == set()
    check_rows(done, estate)


async def test_a_giant_repository_is_walked_from_both_ends(tmp_path: Path) -> None:
    estate = Estate(GIANT_REPOSITORY)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path)
        backwards = [
            call for call in emulator.calls.of("images") if "desc" in call.query.get("orderBy", "")
        ]
        assert len(backwards) >= 2
        assert len(emulator.calls.of("images")) <= fewest_pages(estate) + 4
    check_rows(done, estate)


async def test_small_registries_cost_the_fewest_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is just now.
    use(monkeypatch, SplitPolicy(min_seconds_left=60.0, min_seconds_before_down=60.0))
    estate = Estate(MANY_SMALL)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path)
        assert len(emulator.calls.of("images")) == fewest_pages(estate)
        assert len(emulator.calls.of("repositories")) == MANY_SMALL.registries
        assert repositories_asked(emulator.calls) == set()
    check_rows(done, estate)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_with_splitting_off_each_registry_is_one_scan(shape: Shape, tmp_path: Path) -> None:
    estate = Estate(shape)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path, limits={"split_listings": False})
        assert len(emulator.calls.of("images")) == fewest_pages(estate)
        assert repositories_asked(emulator.calls) == set()
        assert len(emulator.calls.of("repositories")) >= shape.registries
    check_rows(done, estate)


@pytest.mark.parametrize("limit", [1, 3])
async def test_never_are_more_calls_under_way_than_the_settings_allow(
    limit: int, tmp_path: Path
) -> None:
    estate = Estate(GIANT_REGISTRY)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path, limits={"concurrency": limit})
        assert emulator.calls.max_in_flight <= limit
    check_rows(done, estate)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_repository_lists_that_are_empty_hide_no_image(shape: Shape, tmp_path: Path) -> None:
    estate = Silent(shape)
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path)
        assert repositories_asked(emulator.calls) == set()
    check_rows(done, estate, once=shape is not GIANT_REPOSITORY)
    assert done.coverage.complete


@pytest.mark.parametrize(
    "faults",
    [
        Faults({"500": 1.0}, scopes=frozenset({"repositories"}), in_a_row=99),
        Faults({"renamed": 1.0}, scopes=frozenset({"repositories"}), in_a_row=99),
    ],
    ids=["failing", "unreadable"],
)
async def test_repository_lists_that_fail_hide_no_image(faults: Faults, tmp_path: Path) -> None:
    estate = Estate(GIANT_REGISTRY)
    async with serve(estate, SLOW, faults) as emulator:
        done = await crawl(emulator.url, tmp_path, limits={"attempts": 1})
    check_rows(done, estate)
    (registry,) = estate.registries()
    entries = {entry.listing: entry.status for entry in done.coverage.entries()}
    assert entries["repositories"] == "failed"
    assert entries["images"] == "complete"
    assert registry["id"] in {entry.parent_id for entry in done.coverage.entries()}


async def test_a_listing_too_short_to_split_finds_what_no_list_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, replace(SURE, min_seconds_left=60.0))
    estate = Estate(replace(GIANT_REGISTRY, quirks=Quirks(unlisted_repository=True)))
    assert list(estate.unlisted_repositories())
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path)
    check_rows(done, estate)


@pytest.mark.parametrize("hidden", [0, 1, 2])
async def test_what_is_listed_is_whole_beside_an_unlisted_repository(
    hidden: int, tmp_path: Path
) -> None:
    estate = Silent(GIANT_REGISTRY, frozenset({hidden}))
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path)
    # The front meets the first of all repositories, whatever is split off behind it.
    met = {estate.repository(0).name} if hidden == 0 else set()
    names = {each["name"] for each in estate.repositories()} | met
    wanted = {image["id"] for image in estate.images() if image["name"] in names}
    assert wanted <= set(done.ids)


@pytest.mark.parametrize("hidden", [12, 16, 20])
async def test_a_registry_with_a_large_repository_that_is_not_listed_is_not_split(
    hidden: int, tmp_path: Path
) -> None:
    shape = replace(GIANT_REGISTRY, images=3000)
    estate = Silent(shape, frozenset({hidden}))
    share = len(estate.image_numbers()) / 100
    assert sum(image["name"] == estate.repository(hidden).name for image in estate.images()) > share
    async with serve(estate, SLOW) as emulator:
        done = await crawl(emulator.url, tmp_path, limits={"page_size": 300})
        assert repositories_asked(emulator.calls) == set()
    check_rows(done, estate)
    assert done.coverage.complete


async def test_repositories_that_the_servers_order_puts_elsewhere_are_not_passed_over(
    tmp_path: Path,
) -> None:
    # app0 sorts before app-api in a language's order, and behind it by bytes: a front that has
    # only seen app0 cannot know whether the others are empty or still to come.
    estate = Estate(GIANT_REGISTRY)
    async with serve(estate, replace(SLOW, collation="words")) as emulator:
        done = await crawl(emulator.url, tmp_path, limits={"page_size": 5})
    check_rows(done, estate, once=False)


@pytest.mark.parametrize("number", [0, 8, 16, 23])
async def test_a_repository_that_appears_meanwhile_is_listed(number: int, tmp_path: Path) -> None:
    estate = Silent(GIANT_REGISTRY, frozenset({number}))
    async with serve(estate, SLOW) as emulator:

        def show(call: LoggedCall) -> None:
            if len(emulator.calls.of("images")) == 10:
                estate.hidden = frozenset()

        on_answer(emulator, show)
        done = await crawl(emulator.url, tmp_path)
    check_rows(done, estate, once=False)
    assert done.coverage.complete


async def test_page_tokens_that_expire_begin_a_listing_again(tmp_path: Path) -> None:
    estate = Estate(GIANT_REPOSITORY)
    now = 1000.0
    emulator = serve(estate, Behaviour(page_token_life=60.0))
    emulator._clock = lambda: now

    def age(call: LoggedCall) -> None:
        nonlocal now
        if len(emulator.calls.of("images")) in (5, 40):
            now += 100.0

    async with emulator:
        on_answer(emulator, age)
        done = await crawl(emulator.url, tmp_path)
        assert [call for call in emulator.calls.of("images") if call.status == 400]
    check_rows(done, estate, once=False)
    assert done.coverage.complete


CHURN = {"appear": 0.1, "vanish": 0.1, "move-tag": 0.1}


@pytest.mark.parametrize("seed", [0, 1, 4])
@pytest.mark.parametrize(
    "shape", [GIANT_REGISTRY, GIANT_REPOSITORY], ids=["registry", "repository"]
)
async def test_what_is_there_throughout_is_staged_once_while_the_rest_comes_and_goes(
    shape: Shape, seed: int, tmp_path: Path
) -> None:
    estate = Estate(shape)
    faults = Faults(CHURN, seed=seed)
    async with serve(estate, SLOW, faults) as emulator:
        done = await crawl(emulator.url, tmp_path)
    counts = {id_: done.ids.count(id_) for id_ in done.ids}
    steady = [image["id"] for image in steady_images(estate, faults)]
    assert [id_ for id_ in steady if counts.get(id_) != 1] == []
    assert counts.keys() <= {image["id"] for image in estate.images()}
    assert max(counts.values()) == 1
