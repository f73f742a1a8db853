"""A 401: a new token first, then the question whom it is about."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from exporter.errors import CredentialsError, StatusError
from exporter.sources.cloud.client import open_client
from tests.api.scripted import (
    FOLDERS,
    IMAGES,
    TOKEN,
    Play,
    Scripted,
    Waits,
    as_json,
    ok,
    raw,
    settings_for,
    status,
)

EXCHANGE = "/iam/v1/tokens"
OAUTH = {"oauth_token": "y0_planted"}
DENIED = status(401, {"code": 16, "message": "unauthenticated"})


def issued(number: int) -> Play:
    return ok({"iamToken": f"t1.{number}", "expiresAt": "2100-01-01T00:00:00Z"})


def tokens_sent(server: Scripted) -> list[str]:
    return [request.headers["authorization"].split(".")[1] for request in server.asked()]


async def test_a_refused_token_is_renewed_and_the_call_asked_again(
    server: Scripted, waits: Waits
) -> None:
    server.routes |= {IMAGES.path: [DENIED, ok({})], EXCHANGE: [issued(1), issued(2)]}
    with capture_logs() as logs:
        async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
            answer = await client.get(IMAGES, as_json)
    assert (answer.page, answer.calls) == ({}, 2)
    assert tokens_sent(server) == ["1", "2"]
    assert not waits.seconds
    assert "token_refused" in [log["event"] for log in logs]


async def test_a_token_revoked_under_many_calls_is_renewed_once(
    server: Scripted, waits: Waits
) -> None:
    async def by_token(writer: asyncio.StreamWriter) -> None:
        good = server.asked()[-1].headers["authorization"] != "Bearer t1.1"
        await (ok({}) if good else DENIED)(writer)

    server.routes |= {IMAGES.path: by_token, EXCHANGE: [issued(1), issued(2), issued(3)]}
    async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
        await asyncio.gather(*(client.get(IMAGES, as_json) for _ in range(16)))
    assert set(tokens_sent(server)) == {"1", "2"}


async def test_a_token_that_never_worked_ends_the_run(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = DENIED
    async with open_client(settings_for(server), sleep=waits) as client:
        with pytest.raises(CredentialsError) as caught:
            await client.get(IMAGES, as_json)
    message = str(caught.value)
    assert "the credentials from credentials.iam_token" in message
    assert "check that" in message
    assert TOKEN not in message
    assert "renewed" not in message  # there is no other to be had
    assert len(server.asked()) == 2


async def test_a_renewed_token_that_is_refused_too_is_said(server: Scripted, waits: Waits) -> None:
    server.routes |= {IMAGES.path: DENIED, EXCHANGE: [issued(1), issued(2)]}
    async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
        with pytest.raises(CredentialsError, match="with a renewed token too"):
            await client.get(IMAGES, as_json)


async def test_a_gateways_401_that_stays_ends_the_run_after_the_last_attempt(
    server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = raw(401, b"<html>401 Authorization Required</html>")
    async with open_client(settings_for(server, limits={"attempts": 3}), sleep=waits) as client:
        with pytest.raises(CredentialsError, match="does not accept the credentials"):
            await client.get(IMAGES, as_json)
    assert len(waits.seconds) == 2


async def test_a_refused_token_is_one_whatever_the_number(server: Scripted, waits: Waits) -> None:
    refused = status(403, {"code": 16, "message": "the token has expired"})
    server.routes |= {IMAGES.path: [refused, ok({})], EXCHANGE: [issued(1), issued(2)]}
    async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == {}
    assert tokens_sent(server) == ["1", "2"]


async def test_a_401_about_one_scope_is_that_scopes_alone(server: Scripted, waits: Waits) -> None:
    server.routes |= {FOLDERS.path: ok({}), IMAGES.path: DENIED}
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(FOLDERS.with_params(pageToken="p2", pageSize="1000"), as_json)
        for _ in range(3):
            with pytest.raises(StatusError) as caught:
                await client.get(IMAGES, as_json)
            assert caught.value.http_status == 401
            assert caught.value.code == "UNAUTHENTICATED"
    assert caught.value.calls == 2
    _, *proofs = server.asked(FOLDERS)
    assert len(proofs) == 3
    assert proofs[0].query == {"cloudId": "b1g1", "pageSize": "1"}


async def test_a_token_that_stops_working_ends_the_run(server: Scripted, waits: Waits) -> None:
    server.routes |= {FOLDERS.path: [ok({}), DENIED], IMAGES.path: DENIED}
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(CredentialsError):
            await client.get(IMAGES, as_json)


async def test_a_revoked_token_is_renewed_where_scopes_answer_401_too(
    server: Scripted, waits: Waits
) -> None:
    server.routes |= {
        FOLDERS.path: [ok({}), ok({}), DENIED, ok({})],
        IMAGES.path: [DENIED, DENIED, DENIED, ok({"images": []})],
        EXCHANGE: [issued(1), issued(2), issued(3)],
    }
    async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(StatusError):
            await client.get(IMAGES, as_json)
        assert (await client.get(IMAGES, as_json)).page == {"images": []}
    assert tokens_sent(server) == ["1", "2", "2", "3"]


async def test_a_proof_that_is_not_answered_decides_nothing(server: Scripted, waits: Waits) -> None:
    server.routes |= {FOLDERS.path: [ok({}), status(503), ok({})], IMAGES.path: DENIED}
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(StatusError) as caught:
            await client.get(IMAGES, as_json)
    assert caught.value.http_status == 401
    assert len(waits.seconds) == 1


async def test_a_401_about_one_scope_is_that_scopes_alone_while_no_new_token_can_be_had(
    server: Scripted, waits: Waits
) -> None:
    server.routes |= {
        FOLDERS.path: ok({}),
        IMAGES.path: DENIED,
        EXCHANGE: [issued(1), status(404)],
    }
    async with open_client(settings_for(server, credentials=OAUTH), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(StatusError) as caught:
            await client.get(IMAGES, as_json)
        assert caught.value.http_status == 401
        server.routes[FOLDERS.path] = DENIED
        with pytest.raises(CredentialsError, match="answered 404"):
            await client.get(IMAGES, as_json)
