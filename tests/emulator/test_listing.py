"""The list calls: their parameters, errors, pages, tokens and orders."""

from __future__ import annotations

import orjson
import pytest

from exporter.emulator import Behaviour, Estate, preset
from tests.emulator.client import SMALL, Caller, Clock, emulate, ids, largest_registry


async def test_walking_the_tree_finds_exactly_what_the_estate_has() -> None:
    async with emulate(preset("quirks", images=500)) as caller:
        clouds = await caller.list("clouds", pageSize=2)
        folders = [f for c in clouds for f in await caller.list("folders", cloudId=c["id"])]
        registries = [r for f in folders for r in await caller.list("registries", folderId=f["id"])]
        found = {"clouds": clouds, "folders": folders, "registries": registries}
        for table in ("repositories", "images"):
            found[table] = [
                item
                for registry in registries
                for item in await caller.list(table, registryId=registry["id"], pageSize=70)
            ]
        for table, items in found.items():
            truth = list(getattr(caller.estate, table)())
            assert sorted(items, key=orjson.dumps) == sorted(truth, key=orjson.dumps), table


async def test_repository_wins_over_registry_and_registry_over_folder() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        other = next(each for each in caller.estate.registries() if each["id"] != registry)
        image = next(caller.estate.images(registry))
        names = {
            item["name"]
            for item in await caller.list(
                "images",
                repositoryName=image["name"],
                registryId=other["id"],
                folderId=other["folderId"],
            )
        }
        assert names == {image["name"]}
        found = await caller.list("images", registryId=registry, folderId=other["folderId"])
        assert sorted(ids(found)) == sorted(ids(list(caller.estate.images(registry))))


async def test_a_folder_lists_the_repositories_and_images_of_all_its_registries() -> None:
    async with emulate() as caller:
        folder = next(caller.estate.registries())["folderId"]
        within = ids(list(caller.estate.registries(folder)))
        for table in ("images", "repositories"):
            listed = await caller.list(table, folderId=folder, pageSize=1000)
            truth = [item for each in within for item in getattr(caller.estate, table)(each)]
            assert sorted(ids(listed)) == sorted(ids(truth))


@pytest.mark.parametrize(
    ("table", "given", "says"),
    [
        ("folders", {}, "cloudId is required"),
        ("registries", {}, "folderId is required"),
        ("repositories", {}, "registryId or folderId is required"),
        ("images", {}, "is required"),
        ("images", {"registryId": "", "folderId": ""}, "is required"),
        ("images", {"registryId": "x" * 51}, "longer than 50"),
        ("images", {"folderId": "x" * 51, "registryId": "x"}, "longer than 50"),
        ("folders", {"cloudId": "x" * 51}, "longer than 50"),
        ("clouds", {"organizationId": "x" * 51}, "longer than 50"),
        ("images", {"registryId": "x", "pageToken": "x" * 101}, "longer than 100"),
        ("clouds", {"pageToken": "x" * 2001}, "longer than 2000"),
        ("images", {"registryId": "x", "filter": "x" * 1001}, "longer than 1000"),
        ("images", {"registryId": "x", "orderBy": "x" * 101}, "longer than 100"),
        ("images", {"repositoryName": "Upper/case"}, "repositoryName"),
        ("images", {"repositoryName": "a//b"}, "repositoryName"),
        ("images", {"repositoryName": "a/b-"}, "repositoryName"),
        ("images", {"registryId": "x", "pageSize": 1001}, "pageSize"),
        ("images", {"registryId": "x", "pageSize": "-1"}, "pageSize"),
        ("images", {"registryId": "x", "pageSize": "many"}, "pageSize"),
        ("images", {"registryId": "x", "filter": 'digest = "x"'}, "filter"),
        ("images", {"registryId": "x", "filter": "name = x"}, "filter"),
        ("images", {"registryId": "x", "filter": f'name = "{"x" * 257}"'}, "filter"),
        ("images", {"registryId": "x", "orderBy": "size"}, "orderBy"),
        ("images", {"registryId": "x", "orderBy": "name,,digest"}, "orderBy"),
        ("images", {"registryId": "x", "orderBy": "name up"}, "orderBy"),
        ("registries", {"folderId": "x", "orderBy": "name"}, "orderBy"),
        ("images", {"registryId": "x", "pagesize": 10}, "no parameter"),
        ("images", {"registryId": "x", "pageToken": "forged"}, "pageToken"),
        ("images", {"registryId": "x", "pageToken": "A" * 75}, "pageToken"),
        ("images", {"registryId": "x", "pageToken": "not base64!"}, "pageToken"),
    ],
)
async def test_what_the_api_would_not_take_is_an_invalid_argument(
    table: str, given: dict[str, object], says: str
) -> None:
    async with emulate() as caller:
        reply = await caller.get(table, **given)
        assert reply.status == 400
        assert reply.json["code"] == 3
        assert reply.json["details"] == []
        assert says in reply.json["message"]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("folders", "cloudId"),
        ("registries", "folderId"),
        ("repositories", "registryId"),
        ("images", "registryId"),
        ("images", "folderId"),
        ("images", "repositoryName"),
    ],
)
async def test_a_scope_that_is_not_there_or_of_another_kind_is_not_found(
    table: str, name: str
) -> None:
    async with emulate() as caller:
        wrong_kind = next(caller.estate.clouds())["id"] if name != "cloudId" else "crp0"
        for scope in ("nowhere", wrong_kind):
            reply = await caller.get(table, **{name: scope})
            assert (reply.status, reply.json["code"]) == (404, 5)


async def test_an_unknown_path_is_not_found() -> None:
    async with emulate() as caller:
        reply = await caller.call("/container-registry/v2/images")
        assert (reply.status, reply.json["code"]) == (404, 5)


async def test_pages_have_a_hundred_items_unless_asked_otherwise() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        reply = await caller.get("images", registryId=registry)
        assert len(reply.json["images"]) == 100
        reply = await caller.get("images", registryId=registry, pageSize=7)
        assert len(reply.json["images"]) == 7
        reply = await caller.get("images", registryId=registry, pageSize=0)
        assert len(reply.json["images"]) == 100


async def test_an_empty_page_is_an_empty_object() -> None:
    async with emulate() as caller:
        empty = next(
            each["id"]
            for each in caller.estate.registries()
            if not len(caller.estate.image_numbers(each["id"]))
        )
        assert (await caller.get("images", registryId=empty)).body == b"{}"


async def test_the_last_page_has_no_token_even_when_it_is_full() -> None:
    async with emulate(preset("giant-repository", images=200)) as caller:
        name = next(caller.estate.repositories())["name"]
        pages = [page async for page in caller.pages("images", repositoryName=name)]
        assert [len(page) for page in pages] == [100, 100]


async def test_filter_gives_the_one_of_that_name() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        image = next(caller.estate.images(registry))
        wanted = f'name = "{image["name"]}"'
        images = await caller.list("images", registryId=registry, filter=wanted)
        assert {each["name"] for each in images} == {image["name"]}
        expected = [e["id"] for e in caller.estate.images(registry) if e["name"] == image["name"]]
        assert sorted(ids(images)) == sorted(expected)
        cloud = next(caller.estate.clouds())
        assert await caller.list("clouds", filter=f'name="{cloud["name"]}"') == [cloud]
        assert await caller.list("clouds", filter='name = "nobody"') == []
        other = next(each["id"] for each in caller.estate.registries() if each["id"] != registry)
        assert await caller.list("images", registryId=other, filter=wanted) == []
        organization = cloud["organizationId"]
        assert len(await caller.list("clouds", organizationId=organization)) == SMALL.clouds
        assert await caller.list("clouds", organizationId="bpf0") == []


async def first_token(caller: Caller, registry: str, **given: object) -> str:
    reply = await caller.get("images", registryId=registry, pageSize=5, **given)
    return str(reply.json["nextPageToken"])


async def test_a_page_token_is_short_and_good_for_its_own_parameters_only() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        token = await first_token(caller, registry, orderBy="name")
        assert len(token) <= 100
        same = {"registryId": registry, "pageSize": 5, "orderBy": "name", "pageToken": token}
        assert (await caller.get("images", **same)).status == 200
        for change in ({"pageSize": 6}, {"orderBy": "digest"}, {"filter": 'name = "x/y"'}):
            reply = await caller.get("images", **{**same, **change})
            assert reply.status == 400
            assert "other parameters" in reply.json["message"]
        forged = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
        assert (await caller.get("images", **{**same, "pageToken": forged})).status == 400


async def test_a_page_token_expires() -> None:
    clock = Clock()
    async with emulate(SMALL, Behaviour(page_token_life=60), clock=clock) as caller:
        registry = largest_registry(caller.estate)
        token = await first_token(caller, registry)
        again = {"registryId": registry, "pageSize": 5, "pageToken": token}
        clock.now += 59
        assert (await caller.get("images", **again)).status == 200
        clock.now += 2
        reply = await caller.get("images", **again)
        assert reply.status == 400
        assert "expired" in reply.json["message"]


async def test_a_page_token_outlives_the_server() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        token = await first_token(caller, registry, orderBy="name")
    async with emulate() as caller:
        given = {"registryId": registry, "pageSize": 5, "orderBy": "name", "pageToken": token}
        reply = await caller.get("images", **given)
        assert ids(reply.json["images"]) == ids(list(caller.estate.images(registry)))[5:10]


async def test_an_unlisted_repository_has_images_that_can_be_asked_for() -> None:
    async with emulate(preset("quirks")) as caller:
        name = next(caller.estate.unlisted_repositories())
        registry = name.partition("/")[0]
        listed = await caller.list("repositories", registryId=registry)
        assert name not in {each["name"] for each in listed}
        assert {each["name"] for each in await caller.list("images", repositoryName=name)} == {name}
        images = await caller.list("images", registryId=registry, pageSize=1000)
        assert name in {each["name"] for each in images}


async def test_the_page_cache_gives_the_same_bytes_without_building_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with emulate(SMALL, Behaviour(page_cache_bytes=1 << 20, reshuffle=False)) as caller:
        given = {"registryId": largest_registry(caller.estate), "pageSize": 50}
        first = [page async for page in caller.pages("images", **given)]

        def fail(*_: object) -> bytes:
            raise AssertionError("built again")

        monkeypatch.setattr(Estate, "image_text", fail)
        assert [page async for page in caller.pages("images", **given)] == first


async def test_the_page_cache_keeps_no_more_than_it_may() -> None:
    async with emulate(SMALL, Behaviour(page_cache_bytes=100_000)) as caller:
        for _ in range(5):
            await caller.list("images", registryId=largest_registry(caller.estate), pageSize=20)
        kept = caller.emulator._listings._cache
        assert 0 < sum(map(len, kept.values())) <= 100_000
