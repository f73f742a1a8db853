"""What the service does around its lists: tokens, limits, encodings, the log of calls."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.emulator import Behaviour, Faults, ServiceKey
from tests.emulator.client import PATHS, SMALL, Caller, Clock, Reply, emulate, largest_registry

CLOUDS = PATHS["clouds"]
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def trusting(key: rsa.RSAPrivateKey, token_life: float = 600.0) -> Behaviour:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    keys = {"ajekey": ServiceKey("ajeaccount", public.decode())}
    return Behaviour(service_keys=keys, static_tokens=frozenset(), token_life=token_life)


def signed(caller: Caller, key: rsa.RSAPrivateKey, now: float, **changes: Any) -> str:
    claims = {
        "iss": "ajeaccount",
        "aud": f"{caller.emulator.url}/iam/v1/tokens",
        "iat": int(now),
        "exp": int(now) + 3600,
    }
    kid = changes.pop("kid", "ajekey")
    algorithm = changes.pop("algorithm", "PS256")
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


async def exchange(caller: Caller, body: object) -> Reply:
    return await caller.post("/iam/v1/tokens", body)


async def test_a_signed_jwt_is_exchanged_for_a_token_that_lists_until_it_expires(
    private_key: rsa.RSAPrivateKey,
) -> None:
    clock = Clock()
    async with emulate(SMALL, trusting(private_key), clock=clock) as caller:
        reply = await exchange(caller, {"jwt": signed(caller, private_key, clock.now)})
        assert reply.status == 200
        token = reply.json["iamToken"]
        assert token.startswith("t1.")
        expires = datetime.fromisoformat(reply.json["expiresAt"][:26] + "+00:00")
        assert expires.timestamp() == pytest.approx(clock.now + 600, abs=1)
        assert (await caller.call(CLOUDS, token=token)).status == 200
        clock.now += 600
        reply = await caller.call(CLOUDS, token=token)
        assert (reply.status, reply.json["code"]) == (401, 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": "another"},
        {"iss": "another"},
        {"iss": None},
        {"aud": "https://iam.example/iam/v1/tokens"},
        {"algorithm": "RS256"},
        {"exp": 1_800_003_601},
        {"iat": 1_800_001_000},
        {"iat": 1_799_990_000, "exp": 1_799_993_600},
        {"exp": None},
        {"iat": None},
    ],
    ids=str,
)
async def test_a_jwt_that_is_not_right_is_refused(
    private_key: rsa.RSAPrivateKey, changes: dict[str, Any]
) -> None:
    clock = Clock()
    async with emulate(SMALL, trusting(private_key), clock=clock) as caller:
        reply = await exchange(caller, {"jwt": signed(caller, private_key, clock.now, **changes)})
        assert (reply.status, reply.json["code"]) == (401, 16)


async def test_a_jwt_signed_by_another_key_or_not_at_all_is_refused(
    private_key: rsa.RSAPrivateKey,
) -> None:
    clock = Clock()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with emulate(SMALL, trusting(private_key), clock=clock) as caller:
        for text in (signed(caller, other, clock.now), "not.a.jwt", ""):
            assert (await exchange(caller, {"jwt": text})).status == 401


async def test_an_oauth_token_is_exchanged_and_nonsense_is_not() -> None:
    behaviour = Behaviour(oauth_tokens=frozenset({"y0_good"}))
    async with emulate(SMALL, behaviour) as caller:
        reply = await exchange(caller, {"yandexPassportOauthToken": "y0_good"})
        assert (await caller.call(CLOUDS, token=reply.json["iamToken"])).status == 200
        assert (await exchange(caller, {"yandexPassportOauthToken": "y0_bad"})).status == 401
        assert (await exchange(caller, {})).status == 400
        assert (await exchange(caller, ["jwt"])).status == 400
        assert (await exchange(caller, {"jwt": 5})).status == 400


async def test_the_metadata_service_gives_tokens_to_those_who_say_its_name() -> None:
    async with emulate(SMALL, Behaviour(token_life=90)) as caller:
        assert (await caller.call(METADATA, token=None)).status == 403
        flavoured = {"Metadata-Flavor": "Google"}
        reply = await caller.call(METADATA, token=None, headers=flavoured)
        assert reply.json["expires_in"] == 90
        assert (await caller.call(CLOUDS, token=reply.json["access_token"])).status == 200
        caller.emulator.behaviour = Behaviour(metadata=False)
        reply = await caller.call(METADATA, token=None, headers=flavoured)
        assert reply.status == 404


async def test_discovery_needs_no_token_and_names_this_server() -> None:
    async with emulate() as caller:
        reply = await caller.call("/endpoints", token=None)
        address = caller.emulator.url.removeprefix("http://")
        services = {each["id"]: each["address"] for each in reply.json["endpoints"]}
        assert {"container-registry", "resource-manager", "iam"} <= services.keys()
        assert set(services.values()) == {address}


async def test_list_calls_need_a_good_token_unless_told_otherwise() -> None:
    async with emulate() as caller:
        for path in PATHS.values():
            for token in (None, "t1.made-up"):
                reply = await caller.call(path, token=token)
                assert (reply.status, reply.json["code"]) == (401, 16)
        basic = await caller.call(CLOUDS, token=None, headers={"Authorization": "Basic eDp5"})
        assert basic.status == 401
        caller.emulator.behaviour = Behaviour(require_token=False)
        assert (await caller.call(CLOUDS, token=None)).status == 200


async def test_a_token_can_be_revoked_at_once_or_after_some_calls() -> None:
    async with emulate() as caller:
        caller.emulator.faults = Faults(revoke_after=2)
        assert [(await caller.get("clouds")).status for _ in range(3)] == [200, 200, 401]
        token, _ = caller.emulator.tokens.issue(caller.emulator.behaviour, 1_800_000_000.0)
        assert (await caller.call(CLOUDS, token=token)).status == 200
        caller.emulator.tokens.revoke(token)
        assert (await caller.call(CLOUDS, token=token)).status == 401


async def test_calls_past_the_rate_are_told_when_to_come_back() -> None:
    clock = Clock()
    async with emulate(SMALL, Behaviour(rate=0.5, burst=2), clock=clock) as caller:
        assert [(await caller.get("clouds")).status for _ in range(3)] == [200, 200, 429]
        reply = await caller.get("clouds")
        assert reply.json["code"] == 8
        assert reply.headers["Retry-After"] == "2"
        clock.now += 2
        assert [(await caller.get("clouds")).status for _ in range(2)] == [200, 429]


async def test_retry_after_can_be_a_date_or_absent() -> None:
    clock = Clock()
    async with emulate(SMALL, Behaviour(rate=0.1, retry_after="date"), clock=clock) as caller:
        await caller.get("clouds")
        reply = await caller.get("clouds")
        wait = parsedate_to_datetime(reply.headers["Retry-After"]) - datetime.fromtimestamp(
            clock.now, UTC
        )
        assert wait.total_seconds() == 10
        caller.emulator.behaviour = Behaviour(rate=0.1, retry_after="absent")
        reply = await caller.get("clouds")
        assert reply.status == 429
        assert "Retry-After" not in reply.headers


@contextmanager
def held_latency(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[float], asyncio.Event]]:
    """Make the emulator's latency last until the event is set; gives the pauses it wanted."""
    pauses: list[float] = []
    release = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await release.wait()

    with monkeypatch.context() as patch:
        patch.setattr("exporter.emulator.throttle.pause", sleep)
        yield pauses, release


async def test_calls_past_the_most_at_once_are_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behaviour = Behaviour(latency=5.0, jitter=1.0, max_in_flight=3)
    with held_latency(monkeypatch) as (pauses, release):
        async with emulate(SMALL, behaviour) as caller:
            calls = [asyncio.ensure_future(caller.get("clouds")) for _ in range(5)]
            done: set[asyncio.Future[Reply]] = set()
            while len(done) < 2:
                done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            release.set()
            statuses = sorted([(await call).status for call in calls])
            assert statuses == [200, 200, 200, 503, 503]
            assert caller.emulator.calls.max_in_flight >= 4
    assert len(pauses) == 3
    assert all(5.0 <= pause <= 6.0 for pause in pauses)
    assert len(set(pauses)) == 3


async def test_every_answer_has_a_request_id_of_its_own() -> None:
    async with emulate() as caller:
        replies = [
            await caller.get("clouds"),
            await caller.get("folders"),
            await caller.call(CLOUDS, token=None),
            await caller.call("/nowhere"),
        ]
        assert [reply.status for reply in replies] == [200, 400, 401, 404]
        found = [reply.headers["x-request-id"] for reply in replies]
        assert len(set(found)) == 4
        assert found == [call.request_id for call in caller.emulator.calls]


async def test_bodies_are_compact_or_pretty_and_zipped_only_when_both_sides_agree() -> None:
    async with emulate() as caller:
        registry = largest_registry(caller.estate)
        given = {"registryId": registry, "orderBy": "name", "pageSize": 5}
        zipping = {"Accept-Encoding": "gzip"}
        plain = await caller.call(PATHS["images"], given, headers=zipping)
        assert b"\n" not in plain.body
        assert "Content-Encoding" not in plain.headers
        caller.emulator.behaviour = Behaviour(pretty=True, gzip=True)
        pretty = await caller.call(PATHS["images"], given, headers=zipping)
        assert pretty.headers["Content-Encoding"] == "gzip"
        assert pretty.body.startswith(b'{\n  "images": [\n    {\n')
        assert pretty.json == plain.json
        refusing = {"Accept-Encoding": "identity"}
        unzipped = await caller.call(PATHS["images"], given, headers=refusing)
        assert "Content-Encoding" not in unzipped.headers
        assert unzipped.body == pretty.body
        sent = caller.emulator.calls.of("images")[1].bytes
        assert sent == pytest.approx(len(gzip.compress(pretty.body, 1)), rel=0.1)


async def test_the_log_tells_what_was_asked_and_how_that_went() -> None:
    clock = Clock()
    async with emulate(clock=clock) as caller:
        await caller.get("clouds", pageSize=1)
        await caller.get("folders", cloudId="nowhere")
        first, second = caller.emulator.calls
        assert (first.method, first.path, first.query) == ("GET", CLOUDS, {"pageSize": "1"})
        assert (first.status, first.fault, first.started) == (200, None, clock.now)
        assert first.bytes > 0
        assert second.status == 404
        stats = (await caller.call("/_emulator/stats", token=None)).json
        assert stats == caller.emulator.calls.stats()
        assert stats["calls"] == 2
        assert stats["paths"] == {CLOUDS: 1, PATHS["folders"]: 1}
        assert stats["statuses"] == {"200": 1, "404": 1}
        assert stats["max_in_flight"] == 1
        caller.emulator.calls.clear()
        assert len(caller.emulator.calls) == 0


@pytest.mark.parametrize("table", PATHS)
async def test_the_truth_can_be_had_over_http(table: str) -> None:
    async with emulate() as caller:
        reply = await caller.call(f"/_emulator/truth/{table}", token=None)
        rows = [orjson.loads(line) for line in reply.body.splitlines()]
        assert rows == list(getattr(caller.estate, table)())
        assert (await caller.call("/_emulator/truth/blobs", token=None)).status == 404
