"""The small registries of a folder are listed together, and none is missed without notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import ceil
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.page_store import NullPageStore
from exporter.crawl.task import Task
from exporter.emulator import Behaviour, Emulator, Estate, Faults, Shape
from exporter.errors import StatusError
from exporter.settings import Scope
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.folder_listing import FolderListing, fewest_calls, worth_joining
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.split.context import Context
from tests.crawl.world import PAGE_SIZE, Outcome, check_rows, crawl, serve

FOLDERS = Shape(clouds=2, folders=4, registries=24, repositories=48, images=90, layers=1)


def images_of(estate: Estate) -> dict[str, int]:
    return {each["id"]: len(estate.image_numbers(each["id"])) for each in estate.registries()}


def joined_in(emulator: Emulator) -> Counter[str]:
    """Return how often images were asked for by folder, by its id."""
    return Counter(
        call.query["folderId"] for call in emulator.calls.of("images") if "folderId" in call.query
    )


def statuses(done: Outcome, listing: str = "images") -> dict[str, str | None]:
    entries = done.coverage.entries()
    return {entry.parent_id: entry.status for entry in entries if entry.listing == listing}


def check_ledger(done: Outcome, estate: Estate) -> None:
    """Check that each registry has a row, and that each call is in one of them."""
    registries = {each.parent_id for each in done.coverage.entries() if each.listing == "images"}
    assert registries == {each["id"] for each in estate.registries()}
    calls = sum(entry.calls for entry in done.coverage.entries())
    assert calls == done.calls + done.progress.calls_before


async def test_a_folder_of_small_registries_costs_a_call_for_each_full_page(
    tmp_path: Path,
) -> None:
    estate = Estate(FOLDERS)
    async with serve(estate) as emulator:
        done = await crawl(emulator.url, tmp_path, expected=images_of(estate))
        asked = joined_in(emulator)
        folders = {each["id"]: each["folderId"] for each in estate.registries()}
        fewest = fewest_calls(folders, images_of(estate), PAGE_SIZE)
        # A registry whose repositories are all empty is asked by itself as well.
        empty = sum(not count for count in images_of(estate).values())
        assert fewest <= len(emulator.calls.of("images")) <= fewest + empty + len(asked)
        assert fewest < len(folders) / 2
    assert asked
    check_rows(done, estate)
    check_ledger(done, estate)
    assert done.coverage.complete


async def test_without_an_earlier_snapshot_each_registry_is_asked_by_itself(tmp_path: Path) -> None:
    estate = Estate(FOLDERS)
    async with serve(estate) as emulator:
        done = await crawl(emulator.url, tmp_path)
        assert joined_in(emulator) == {}
    check_rows(done, estate)


@pytest.mark.parametrize("kind", ["denied", "vanished"])
async def test_a_registry_that_may_not_be_read_is_not_taken_from_its_folders_list(
    kind: str, tmp_path: Path
) -> None:
    estate = Estate(FOLDERS)
    counts = images_of(estate)
    one = max((each for each in counts if 0 < counts[each] < PAGE_SIZE), key=counts.__getitem__)
    gone = frozenset({one})
    faults = Faults(denied=gone) if kind == "denied" else Faults(vanished={one: 0})
    async with serve(estate, Behaviour(), faults) as emulator:
        done = await crawl(emulator.url, tmp_path, expected=counts)
        assert joined_in(emulator)
    assert done.images is not None
    assert statuses(done)[one] == kind
    assert set(statuses(done).values()) == {"complete", kind}
    wanted = {image["id"] for image in estate.images() if not image["name"].startswith(one)}
    assert set(done.ids) == wanted


class Forgetful(Estate):
    """An estate whose lists by folder leave out the images of one registry."""

    hidden: range = range(0)

    def find(self, scope_id: str) -> Any:
        scope = super().find(scope_id)
        if (
            scope is not None
            and self.hidden
            and self.hidden[0] in scope.images
            and scope.registries
        ):
            # What is left is the part of the folder before or behind the registry.
            before = range(scope.images.start, self.hidden.start)
            behind = range(self.hidden.stop, scope.images.stop)
            images = before if len(before) > len(behind) else behind
            return type(scope)(
                scope.id, scope.parents, scope.resource, scope.folders, scope.registries,
                scope.repositories, images,
            )  # fmt: skip
        return scope


async def test_a_registry_that_its_folders_list_leaves_out_is_asked_by_itself(
    tmp_path: Path,
) -> None:
    estate = Forgetful(FOLDERS)
    counts = images_of(estate)
    one = max((each for each in counts if 0 < counts[each] < PAGE_SIZE), key=counts.__getitem__)
    estate.hidden = estate.image_numbers(one)
    async with serve(estate) as emulator:
        done = await crawl(emulator.url, tmp_path, expected=counts)
        assert joined_in(emulator)
    check_rows(done, estate)
    assert done.coverage.complete


class Nameless(Estate):
    """An estate of which one image does not name its repository."""

    nameless = -1

    def image_text(self, number: int) -> bytes:
        text = super().image_text(number)
        if number != self.nameless:
            return text
        image = orjson.loads(text)
        del image["name"]
        return orjson.dumps(image)


@pytest.mark.parametrize("stop_after", [None, 16, 30, 60])
async def test_an_image_that_does_not_name_its_repository_is_found_in_its_registry(
    stop_after: int | None, tmp_path: Path
) -> None:
    estate = Nameless(FOLDERS)
    counts = images_of(estate)
    one = max((each for each in counts if 0 < counts[each] < PAGE_SIZE), key=counts.__getitem__)
    estate.nameless = estate.image_numbers(one)[-1]
    async with serve(estate, Behaviour(reshuffle=False)) as emulator:
        if stop_after is not None:
            await crawl(emulator.url, tmp_path, expected=counts, cancel_after=stop_after)
        done = await crawl(emulator.url, tmp_path, expected=counts)
        assert joined_in(emulator)
    truth = {image["id"]: image.get("name") for image in estate.images()}
    assert done.images is not None
    assert {row["image_id"]: row["repository_name"] for row in done.images} == truth
    assert list(truth.values()).count(None) == 1
    check_ledger(done, estate)
    assert done.coverage.complete


async def test_a_registry_that_has_grown_since_is_listed_whole(tmp_path: Path) -> None:
    estate = Estate(Shape(folders=1, registries=6, repositories=12, images=600, layers=1))
    async with serve(estate) as emulator:
        done = await crawl(emulator.url, tmp_path, expected=dict.fromkeys(images_of(estate), 1))
        assert sum(joined_in(emulator).values()) == ceil(600 / PAGE_SIZE)
    check_rows(done, estate)
    check_ledger(done, estate)


@pytest.mark.parametrize("stop_after", [16, 30, 40])
async def test_taken_up_again_the_same_registries_are_listed_together(
    stop_after: int, tmp_path: Path
) -> None:
    estate = Estate(FOLDERS)
    async with serve(estate, Behaviour(reshuffle=False)) as emulator:
        counts = images_of(estate)
        await crawl(emulator.url, tmp_path, expected=counts, cancel_after=stop_after)
        before = joined_in(emulator)
        # Another run may have published a snapshot meanwhile, in which all was larger.
        done = await crawl(emulator.url, tmp_path, expected=dict.fromkeys(counts, 10_000))
    folders = {each["id"]: each["folderId"] for each in estate.registries()}
    together = {
        folders[entry.parent_id]
        for entry in done.coverage.entries()
        if (entry.message or "").startswith("listed together with")
    }
    assert before.keys() <= together
    assert together
    check_rows(done, estate)
    check_ledger(done, estate)


async def test_a_registry_that_can_be_read_only_when_taken_up_again_is_not_missed(
    tmp_path: Path,
) -> None:
    estate = Estate(FOLDERS)
    counts = images_of(estate)
    one = max((each for each in counts if 0 < counts[each] < PAGE_SIZE), key=counts.__getitem__)
    denied = Faults(denied=frozenset({one}))
    async with serve(estate, Behaviour(reshuffle=False), denied) as emulator:
        before = await crawl(emulator.url, tmp_path, expected=counts)
    assert statuses(before)[one] == "denied"
    # All pages are in finished parts by now, and one's images were left out of them.
    async with serve(estate, Behaviour(reshuffle=False)) as emulator:
        done = await crawl(emulator.url, tmp_path, expected=counts)
    check_rows(done, estate, once=False)
    assert done.coverage.complete


class Refusing:
    """Is refused every page."""

    def start(self, _: object) -> None:
        """Ask for nothing."""

    def arrived(self, *_: object) -> None:
        raise StatusError("no", call="GET", scope="images", http_status=403, calls=3)


async def test_where_the_chain_fails_every_registry_is_asked_by_itself() -> None:
    queued: list[Task] = []
    apart: list[tuple[str, Collection[str], bool]] = []
    context = Context(
        pages=cast("Pages", Refusing()),
        store=NullPageStore(),
        wanted=ScopeFilter(Scope()),
        page_size=PAGE_SIZE,
        sample_size=1000,
        slots=8,
        split=True,
        queue=queued.append,
        refresh=lambda _: None,
        may_prefetch=lambda _: False,
    )
    entries = {name: ListingStatus("images", name, known=True) for name in ("crp1", "crp2", "crp3")}

    def ask(registry_id: str, names: Collection[str], *, whole: bool) -> None:
        apart.append((registry_id, names, whole))

    walk = FolderListing("b1g1", Parents(), entries, context, entries.__contains__, ask)
    walk.repositories_listed("crp1", ["crp1/a"], whole=True)
    walk.repositories_listed("crp2", [], whole=False)
    assert queued == []
    assert apart == [("crp2", [], False)]
    walk.repositories_listed("crp3", ["crp3/a"], whole=True)
    assert queued == [walk]
    assert await walk.run_one() is False
    assert apart[1:] == [("crp1", ["crp1/a"], True), ("crp3", ["crp3/a"], True)]
    assert [entries[name].status for name in entries] == [None, None, None]
    assert entries["crp1"].calls == 3


@pytest.mark.parametrize(
    ("registries", "images", "worth"),
    [
        (1, 5, False),  # one call is one call
        (2, 0, True),
        (2, 20, False),  # two full pages
        (3, 20, True),
        (40, 40, True),
        (40, 41, False),  # a chain of five pages takes long
    ],
)
def test_registries_are_joined_only_where_that_saves_calls(
    registries: int, images: int, worth: bool
) -> None:
    assert worth_joining(registries, images, PAGE_SIZE) is worth


def test_the_fewest_calls_are_those_of_full_pages_and_of_joined_folders() -> None:
    folders: dict[str, str | None] = {
        "large": "f1", "small 1": "f1", "small 2": "f1", "lone": "f2", "new": "f2", "named": None
    }  # fmt: skip
    expected = {"large": 35, "small 1": 3, "small 2": 4, "lone": 2}
    assert fewest_calls(folders, expected, PAGE_SIZE) == 4 + 1 + 1 + 1 + 1
