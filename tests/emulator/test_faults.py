"""The faults: each does what its name says, and asking again mends those that pass."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import orjson
import pytest

from exporter.emulator import CallLog, Fault, Faults, LoggedCall, parse_fault
from tests.emulator.client import SMALL, always, emulate, page


class EventfulLog(CallLog):
    """A log that tells when a call comes and when one is over."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.left = asyncio.Event()

    def enter(self) -> None:
        super().enter()
        self.entered.set()

    def leave(self, call: LoggedCall) -> None:
        super().leave(call)
        self.left.set()


@pytest.mark.parametrize(
    ("kind", "code"), [("429", 8), ("500", 13), ("503", 14), ("504", 4), ("502", None)]
)
async def test_a_failed_call_answers_its_status_once_and_then_well(
    kind: str, code: int | None
) -> None:
    async with emulate(faults=always(kind, retry_after=3.0)) as caller:
        bad, good = await page(caller), await page(caller)
        assert (bad.status, good.status) == (int(kind), 200)
        assert bad.headers.get("Retry-After") == ("3" if kind == "429" else None)
        if code is None:
            assert bad.headers["Content-Type"].startswith("text/html")
            assert b"502 Bad Gateway" in bad.body
        else:
            assert bad.json["code"] == code


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("408", 408, b"<h1>408 Request Time-out"),
        ("520", 520, b"<h1>520: Web server"),
        ("html-401", 401, b"<h1>401 Authorization Required"),
        ("html-403", 403, b"<h1>403 Forbidden"),
        ("html-404", 404, b"<h1>404 Not Found"),
        ("409", 409, b'"code":10'),
        ("unavailable-403", 403, b'"code":14'),
        ("204", 204, b""),
        ("206", 206, b'{"images":['),
    ],
)
async def test_a_gateways_answer_has_its_status_and_its_words(
    kind: str, status: int, body: bytes
) -> None:
    async with emulate(faults=always(kind)) as caller:
        bad, good = await page(caller), await page(caller)
        assert (bad.status, good.status) == (status, 200)
        assert body in bad.body
        assert bad.body != good.body


@pytest.mark.parametrize("kind", ["203", "big-headers", "x-gzip", "deflate"])
async def test_an_unusual_answer_is_sound_to_who_knows_http(kind: str) -> None:
    async with (
        emulate(faults=always(kind)) as caller,
        aiohttp.ClientSession(
            caller.emulator.url, auto_decompress=False, max_field_size=1 << 17, max_headers=1000
        ) as session,
    ):
        headers = {"Authorization": "Bearer t1.emulator-static-token"}
        async with session.get("/resource-manager/v1/clouds", headers=headers) as answer:
            body = await answer.read()
        assert answer.status == (203 if kind == "203" else 200)
        assert (len(answer.headers) > 300) == (kind == "big-headers")
        wbits = {"x-gzip": 31, "deflate": 15}.get(kind)
        sound = orjson.loads(zlib.decompress(body, wbits) if wbits else body)["clouds"]
        ids = {each["id"] for each in caller.estate.clouds()}
    assert {each["id"] for each in sound} == ids


async def test_a_redirect_points_elsewhere() -> None:
    async with (
        emulate(faults=always("redirect")) as caller,
        aiohttp.ClientSession(caller.emulator.url) as session,
    ):
        headers = {"Authorization": "Bearer t1.emulator-static-token"}
        clouds = "/resource-manager/v1/clouds"
        async with session.get(clouds, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == "https://proxy.example/sign-in"


async def test_html_comes_with_a_good_status() -> None:
    async with emulate(faults=always("html")) as caller:
        bad = await page(caller)
        assert bad.status == 200
        assert bad.body.startswith(b"<html>")


async def test_broken_bodies_are_broken_in_the_way_of_their_kind() -> None:
    async with emulate() as caller:
        good = (await page(caller)).body
        broken: dict[str, bytes] = {}
        for kind in ("garbage", "utf8-value", "utf8-key", "null", "doubled", "deep", "renamed",
                     "numbers", "oversize"):  # fmt: skip
            caller.emulator.faults = always(kind, oversize_bytes=100_000, seed=len(broken))
            for _ in range(2):
                reply = await page(caller)
                assert reply.status == 200
                broken.setdefault(kind, reply.body)
            assert reply.body == good, f"{kind} is not mended by asking again"
    for kind in ("garbage", "utf8-value", "utf8-key"):
        with pytest.raises(UnicodeDecodeError):
            broken[kind].decode()
    loose = {kind: broken[kind].decode("utf-8", "replace") for kind in ("utf8-value", "utf8-key")}
    assert any("\ufffd" in each["id"] for each in orjson.loads(loose["utf8-value"])["images"])
    assert any("\ufffd" in "".join(each) for each in orjson.loads(loose["utf8-key"])["images"])
    assert broken["null"] == b"null"
    assert broken["doubled"] == good + good
    assert broken["deep"].startswith(b'{"images":' + b"[" * 100_000)
    assert broken["renamed"] == good.replace(b'"images"', b'"items"')
    assert {each["id"] for each in orjson.loads(broken["numbers"])["images"]} == {12345}
    assert orjson.loads(broken["oversize"]) == orjson.loads(good)
    assert len(broken["oversize"]) == 100_000


async def test_a_truncated_answer_ends_before_the_length_it_promised() -> None:
    async with emulate(faults=always("truncated")) as caller:
        with pytest.raises(aiohttp.ClientPayloadError):
            await page(caller)
        assert (await page(caller)).status == 200
        assert [call.fault for call in caller.emulator.calls] == ["truncated", None]


async def test_a_reset_connection_gives_no_answer() -> None:
    async with emulate(faults=always("reset")) as caller:
        caller.emulator.faults = Faults(rates={"reset": 1.0}, in_a_row=2)
        with pytest.raises(aiohttp.ClientError):
            await page(caller)
        assert (await page(caller)).status == 200
        assert {call.status for call in caller.emulator.calls} == {0, 200}


async def test_a_hanging_call_ends_when_its_caller_leaves() -> None:
    async with emulate(faults=always("hang")) as caller:
        caller.emulator.calls = log = EventfulLog()
        call = asyncio.ensure_future(page(caller))
        await log.entered.wait()
        assert not call.done()
        call.cancel()
        await log.left.wait()
        (logged,) = log
        assert (logged.status, logged.fault) == (0, "hang")
        assert (await page(caller)).status == 200


async def test_a_hanging_call_does_not_keep_the_server_from_stopping() -> None:
    async with emulate(faults=always("hang")) as caller:
        caller.emulator.calls = log = EventfulLog()
        call = asyncio.ensure_future(page(caller))
        await log.entered.wait()
        await caller.emulator.__aexit__(None, None, None)
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_a_slow_answer_comes_whole_piece_by_piece() -> None:
    faults = always("slow", drip_seconds=0.0, drip_bytes=512)
    async with emulate(faults=faults) as caller:
        slow, good = await page(caller), await page(caller)
        assert slow.body == good.body
        assert "x-request-id" in slow.headers


async def test_a_gzip_bomb_is_small_until_it_is_unpacked() -> None:
    faults = always("gzip-bomb", oversize_bytes=8 << 20)
    async with emulate(faults=faults) as caller:
        bomb = await page(caller)
        assert bomb.headers["Content-Encoding"] == "gzip"
        assert len(bomb.body) > 8 << 20
        assert int(bomb.headers["Content-Length"]) < 20_000
        assert orjson.loads(bomb.body)["padding"].isspace()


async def test_the_client_that_unpacks_a_bomb_itself_can_stop_in_time() -> None:
    faults = always("gzip-bomb", oversize_bytes=8 << 20)
    async with (
        emulate(faults=faults) as caller,
        aiohttp.ClientSession(caller.emulator.url, auto_decompress=False) as session,
    ):
        headers = {"Authorization": "Bearer t1.emulator-static-token"}
        async with session.get("/resource-manager/v1/clouds", headers=headers) as answer:
            unpacker = zlib.decompressobj(wbits=31)
            some = unpacker.decompress(await answer.read(), 1 << 20)
    assert len(some) == 1 << 20
    assert not unpacker.eof


async def test_asking_again_mends_every_mix_of_passing_faults() -> None:
    kinds = ("429", "500", "502", "503", "504", "html", "garbage", "null", "doubled", "renamed")
    faults = Faults(rates=dict.fromkeys(kinds, 0.08), seed=3, in_a_row=2)
    async with emulate(faults=faults) as caller:
        for registry in caller.estate.registries():
            attempts: list[int] = []
            while not attempts or attempts[-1] != 200:
                reply = await caller.get("images", registryId=registry["id"], orderBy="name")
                sound = (
                    reply.status == 200 and reply.body[-1:] == b"}" and b"items" not in reply.body
                )
                attempts.append(200 if sound and reply.body.count(b'"images"') < 2 else 0)
            assert len(attempts) <= 3


async def test_the_same_seed_makes_the_same_calls_fail_and_another_seed_others() -> None:
    async def statuses(seed: int) -> list[int]:
        async with emulate(faults=Faults(rates={"503": 0.5}, seed=seed)) as caller:
            return [(await caller.get("clouds", pageSize=n)).status for n in range(1, 30)]

    first = await statuses(1)
    assert first == await statuses(1)
    assert first != await statuses(2)
    assert 5 < first.count(503) < 25


async def test_faults_keep_to_the_calls_and_ids_they_were_given() -> None:
    async with emulate(faults=always("503", scopes=frozenset({"registries"}))) as caller:
        folder = next(caller.estate.folders())["id"]
        cloud = next(caller.estate.clouds())["id"]
        assert (await caller.get("clouds")).status == 200
        assert (await caller.get("registries", folderId=folder)).status == 503
        caller.emulator.faults = always("503", scopes=frozenset({cloud}), seed=1)
        assert (await caller.get("folders", cloudId=cloud)).status == 503
        assert (await caller.get("clouds")).status == 200


async def test_token_calls_fail_only_when_they_are_named() -> None:
    async with emulate(faults=always("503")) as caller:
        body = {"yandexPassportOauthToken": "y0_emulator-oauth-token"}
        assert (await caller.post("/iam/v1/tokens", body)).status == 200
        caller.emulator.faults = always("503", scopes=frozenset({"tokens"}))
        assert (await caller.post("/iam/v1/tokens", body)).status == 503
        assert (await caller.post("/iam/v1/tokens", body)).status == 200


def test_faults_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="earthquake"):
        Faults(rates={"earthquake": 0.1})
    with pytest.raises(ValueError, match="from 0 to 1"):
        Faults(rates={"503": 1.5})
    with pytest.raises(ValueError, match="add up"):
        Faults(rates={"503": 0.6, "hang": 0.6})


def test_a_fault_is_read_from_the_command_lines_form() -> None:
    assert parse_fault("503=0.05") == ("503", 0.05)
    for text in ("503", "earthquake=1", "503=often"):
        with pytest.raises(ValueError, match=r"KIND=RATE|earthquake|often"):
            parse_fault(text)
    assert {Faults(rates={kind: 0.5}).rate(kind) for kind in Fault} == {0.5}
    assert SMALL.seed == 1
