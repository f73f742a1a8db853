"""Faults of whole listings: they loop, repeat or stall, and scopes refuse or vanish."""

from __future__ import annotations

import pytest

from exporter.emulator import Faults
from tests.emulator.client import always, emulate, largest_registry, page


async def test_a_repeated_token_is_the_one_it_was_asked_with() -> None:
    async with emulate(faults=always("repeated-token")) as caller:
        first = await page(caller)
        token = first.json["nextPageToken"]
        second = await page(caller, pageToken=token)
        assert second.json["nextPageToken"] == token
        assert second.json["images"] != first.json["images"]


async def test_an_endless_listing_begins_anew_with_new_tokens() -> None:
    async with emulate(faults=always("endless")) as caller:
        registry = largest_registry(caller.estate)
        count = len(caller.estate.image_numbers(registry))
        token, tokens, seen = "", set[str](), 0
        while seen < 3 * count:
            extra = {"pageToken": token} if token else {}
            reply = await page(caller, **extra)
            token = reply.json["nextPageToken"]
            assert token not in tokens
            tokens.add(token)
            seen += len(reply.json["images"])


@pytest.mark.parametrize("kind", ["empty-page", "short-page"])
async def test_odd_pages_do_not_lose_anything(kind: str) -> None:
    async with emulate(faults=Faults(rates={kind: 0.6})) as caller:
        registry = largest_registry(caller.estate)
        pages = [
            each
            async for each in caller.pages(
                "images", registryId=registry, orderBy="name", pageSize=20
            )
        ]
        found = [image for each in pages for image in each]
        assert found == list(caller.estate.images(registry))
        sizes = {len(each) for each in pages[:-1]}
        assert {0, 20} == sizes if kind == "empty-page" else {6, 20} == sizes


async def test_a_changed_image_comes_twice_with_another_content() -> None:
    async with emulate(faults=Faults(rates={"changed-twice": 0.5})) as caller:
        registry = largest_registry(caller.estate)
        found = await caller.list("images", registryId=registry, orderBy="name", pageSize=20)
        contents: dict[str, list[object]] = {}
        for image in found:
            contents.setdefault(image["id"], []).append(image)
        twice = [each for each in contents.values() if len(each) == 2]
        assert twice
        assert all(first != second for first, second in twice)
        assert len(contents) == len(caller.estate.image_numbers(registry))


async def test_denied_and_unauthorized_scopes_take_what_is_in_them_along() -> None:
    async with emulate() as caller:
        registry = next(
            r for r in caller.estate.registries() if list(caller.estate.images(r["id"]))
        )
        image = next(caller.estate.images(registry["id"]))
        folder = registry["folderId"]
        cloud = next(f["cloudId"] for f in caller.estate.folders() if f["id"] == folder)
        asked = (
            ("folders", {"cloudId": cloud}),
            ("registries", {"folderId": folder}),
            ("repositories", {"registryId": registry["id"]}),
            ("images", {"registryId": registry["id"]}),
            ("images", {"repositoryName": image["name"]}),
        )
        expected = {cloud: 5, folder: 4, registry["id"]: 3, image["name"]: 1}
        for scope, count in expected.items():
            for status, faults in (
                (403, Faults(denied=frozenset({scope}))),
                (401, Faults(unauthorized=frozenset({scope}))),
                (404, Faults(vanished={scope: 0})),
            ):
                caller.emulator.faults = faults
                statuses = [(await caller.get(table, **given)).status for table, given in asked]
                assert statuses == [200] * (5 - count) + [status] * count


async def test_a_scope_can_vanish_between_two_of_its_pages() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        caller.emulator.faults = Faults(vanished={registry: 2})
        assert [(await page(caller)).status for _ in range(3)] == [200, 200, 404]


@pytest.mark.parametrize("gone", [True, False])
async def test_what_has_vanished_is_not_named_any_more_and_what_is_only_unfound_is(
    gone: bool,
) -> None:
    async with emulate() as caller:
        registry = next(caller.estate.registries())
        id_ = registry["id"]
        kind = {"vanished": {id_: 0}} if gone else {"unfound": frozenset({id_})}
        caller.emulator.faults = Faults(**kind)
        before = await caller.list("registries", folderId=registry["folderId"])
        answer = await caller.get("images", registryId=id_)
        after = await caller.list("registries", folderId=registry["folderId"])
        assert (answer.status, answer.json["code"]) == (404, 5)
        assert registry in before
        assert (registry in after) is not gone


@pytest.mark.parametrize("turns", [1, 3])
async def test_a_looping_listing_shows_its_first_pages_again_under_new_tokens(turns: int) -> None:
    async with emulate(faults=always("looping", turns=turns)) as caller:
        tokens, pages, token = [""], [], ""
        for _ in range(2 * turns):
            reply = await page(caller, **({"pageToken": token} if token else {}))
            pages.append(reply.json["images"])
            token = reply.json["nextPageToken"]
            assert token not in tokens
            tokens.append(token)
        assert pages[:turns] == pages[turns:]
        assert len({str(each) for each in pages}) == turns
