"""Tokens: from each source, and refused with a sentence."""

from __future__ import annotations

import asyncio
import codecs
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from structlog.testing import capture_logs

from exporter.errors import CredentialsError, OutageError
from exporter.sources.cloud.client import open_client
from tests.api.scripted import (
    IMAGES,
    Play,
    Scripted,
    Waits,
    as_json,
    ok,
    raw,
    resetting,
    settings_for,
    status,
)

EXCHANGE = "/iam/v1/tokens"
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
ISSUED = {"iamToken": "t1.issued-token-8bQ", "expiresAt": "2100-01-01T00:00:00.123456789Z"}
OAUTH = "y0_planted-oauth-token"
PAGE: dict[str, Any] = {"images": []}


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def key_file(tmp_path: Path, private_key: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "key.json"
    comment = "PLEASE DO NOT REMOVE THIS LINE! Authorized key ID <aje1>\n"
    fields = {
        "id": "aje1",
        "service_account_id": "ajesa1",
        "created_at": "2026-01-01T00:00:00Z",
        "private_key": comment + pem_of(private_key),
    }
    path.write_bytes(orjson.dumps(fields))
    path.chmod(0o600)
    return path


def open_up(path: Path, mode: int) -> None:
    path.chmod(mode)


def put_mark(path: Path) -> None:
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())


def bearer(server: Scripted) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in server.asked()]


def exchanges(server: Scripted) -> list[Any]:
    return [orjson.loads(each.body) for each in server.seen if each.path == EXCHANGE]


async def get_images(server: Scripted, waits: Waits, credentials: dict[str, Any]) -> None:
    settings = settings_for(server, credentials=credentials)
    async with open_client(settings, sleep=waits) as client:
        await client.get(IMAGES, as_json)


async def test_a_service_accounts_key_signs_a_jwt_that_holds_in_every_claim(
    server: Scripted, waits: Waits, key_file: Path, private_key: rsa.RSAPrivateKey
) -> None:
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: ok(ISSUED)}
    before = time.time()
    await get_images(server, waits, {"service_account_key_file": key_file})
    (body,) = exchanges(server)
    assert list(body) == ["jwt"]
    assert jwt.get_unverified_header(body["jwt"]) == {"alg": "PS256", "kid": "aje1", "typ": "JWT"}
    claims = jwt.decode(
        body["jwt"],
        private_key.public_key(),
        algorithms=["PS256"],
        audience="https://iam.api.il.nebius.cloud/iam/v1/tokens",
        issuer="ajesa1",
        options={"require": ["iss", "aud", "iat", "exp"]},
    )
    assert set(claims) == {"iss", "aud", "iat", "exp"}
    # A minute back, for a service whose clock is behind.
    assert before - 61 <= claims["iat"] <= time.time() - 60
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert bearer(server) == [ISSUED["iamToken"]]


@pytest.mark.parametrize("apart", [-7200, 7200])
async def test_a_jwt_that_is_refused_by_another_clock_is_signed_by_that_clock(
    apart: int, server: Scripted, waits: Waits, key_file: Path
) -> None:
    async def exchange(writer: asyncio.StreamWriter) -> None:
        now = time.time() + apart
        claims = jwt.decode(exchanges(server)[-1]["jwt"], options={"verify_signature": False})
        date = formatdate(now, usegmt=True)
        if not claims["iat"] <= now < claims["exp"]:
            await status(401, {"code": 16, "message": "by my clock it is not valid"}, Date=date)(
                writer
            )
            return
        expires = formatdate(now + 3600)
        moment = parsedate_to_datetime(expires).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        await ok({"iam_token": "t1.signed-anew", "expires_at": moment}, Date=date)(writer)

    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: exchange}
    with capture_logs() as logs:
        await get_images(server, waits, {"service_account_key_file": key_file})
    assert len(exchanges(server)) == 2
    assert bearer(server) == ["t1.signed-anew"]
    (told,) = (log["clock"] for log in logs if log["event"] == "clocks_apart")
    assert ("behind" if apart > 0 else "ahead of") in told
    (renewed,) = (log for log in logs if log["event"] == "token_renewed")
    assert 3500 < renewed["expires_in"] <= 3601


async def test_a_refusal_with_another_clock_says_both(
    server: Scripted, waits: Waits, key_file: Path
) -> None:
    date = formatdate(time.time() + 7200, usegmt=True)
    server.routes[EXCHANGE] = status(401, {"code": 16}, Date=date)
    with pytest.raises(CredentialsError, match=r"check that the key .* clock, which is 7\d+ sec"):
        await get_images(server, waits, {"service_account_key_file": key_file})
    assert len(exchanges(server)) == 2


SPELLINGS: list[dict[str, Any]] = [
    {"iamToken": "t1.one", "expiresAt": "2100-01-01T00:00:00Z"},
    {"iam_token": "t1.one", "expires_at": "2100-01-01t03:00:00.123456789+03:00"},
    {"iam_token": "t1.one"},
    {"iamToken": "t1.one", "expiresAt": "2001-01-01T00:00:00Z"},  # by a clock that is wrong
]


@pytest.mark.parametrize("answer", SPELLINGS)
async def test_a_tokens_answer_may_be_spelled_as_proto3_allows(
    answer: dict[str, Any], server: Scripted, waits: Waits
) -> None:
    marked = raw(200, b"\xef\xbb\xbf" + orjson.dumps(answer))
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: marked}
    settings = settings_for(server, credentials={"oauth_token": OAUTH})
    async with open_client(settings, sleep=waits) as client:
        for _ in range(3):
            await client.get(IMAGES, as_json)
    assert bearer(server) == ["t1.one"] * 3
    assert len(exchanges(server)) == 1


async def test_a_metadata_services_answer_may_be_spelled_as_proto3_allows(
    server: Scripted, waits: Waits
) -> None:
    server.routes |= {
        METADATA: ok({"accessToken": "t1.vm", "expiresIn": "3600"}),
        IMAGES.path: ok(PAGE),
    }
    with capture_logs() as logs:
        await get_images(server, waits, {"metadata": True, "metadata_url": server.url})
    assert bearer(server) == ["t1.vm"]
    assert [log["expires_in"] for log in logs if log["event"] == "token_renewed"] == [3600]


MARKED = {
    "UTF-8": "\ufefft1.marked\r\n".encode(),
    "UTF-16 LE": codecs.BOM_UTF16_LE + "t1.marked\r\n".encode("utf-16-le"),
    "UTF-16 BE": codecs.BOM_UTF16_BE + "t1.marked\r\n".encode("utf-16-be"),
}


@pytest.mark.parametrize("content", MARKED.values(), ids=MARKED)
async def test_a_byte_order_mark_in_a_token_file_is_let_pass(
    content: bytes, server: Scripted, waits: Waits, tmp_path: Path
) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    path = tmp_path / "token"
    path.write_bytes(content)
    await get_images(server, waits, {"iam_token_file": path})
    assert bearer(server) == ["t1.marked"]


async def test_a_byte_order_mark_before_a_given_token_or_a_key_is_let_pass(
    server: Scripted, waits: Waits, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: ok(ISSUED)}
    await get_images(server, waits, {"iam_token": "\ufefft1.marked"})
    monkeypatch.setenv("YC_TOKEN", f"\ufeff{OAUTH}\n")
    await get_images(server, waits, {})
    put_mark(key_file)
    await get_images(server, waits, {"service_account_key_file": key_file})
    assert bearer(server) == ["t1.marked", ISSUED["iamToken"], ISSUED["iamToken"]]
    assert exchanges(server)[0] == {"yandexPassportOauthToken": OAUTH}


async def test_an_oauth_token_is_exchanged(server: Scripted, waits: Waits) -> None:
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: ok(ISSUED)}
    await get_images(server, waits, {"oauth_token": OAUTH})
    assert exchanges(server) == [{"yandexPassportOauthToken": OAUTH}]
    assert bearer(server) == [ISSUED["iamToken"]]


async def test_the_metadata_service_is_asked_past_any_proxy(
    server: Scripted, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.routes |= {
        METADATA: ok({"access_token": "t1.vm", "expires_in": 3600}),
        IMAGES.path: ok(PAGE),
    }
    settings = settings_for(server, credentials={"metadata": True, "metadata_url": server.url})
    async with open_client(settings, sleep=waits) as client:
        await client.get(IMAGES, as_json)
    assert server.seen[0].headers["metadata-flavor"] == "Google"
    assert bearer(server) == ["t1.vm"]


async def test_a_token_file_is_read_again_when_it_changes(
    server: Scripted, waits: Waits, tmp_path: Path
) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    path = tmp_path / "token"
    path.write_text("t1.first\n")
    settings = settings_for(server, credentials={"iam_token_file": path})
    async with open_client(settings, sleep=waits) as client:
        await client.get(IMAGES, as_json)
        await client.get(IMAGES, as_json)
        other = tmp_path / "other"
        other.write_text("t1.later\n")
        other.replace(path)
        await client.get(IMAGES, as_json)
        path.unlink()
        await client.get(IMAGES, as_json)
    assert bearer(server) == ["t1.first", "t1.first", "t1.later", "t1.later"]


async def test_a_token_file_caught_empty_leaves_the_token_in_hand_until_the_cloud_refuses_it(
    server: Scripted, waits: Waits, tmp_path: Path
) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    path = tmp_path / "token"
    path.write_text("t1.first")
    settings = settings_for(server, credentials={"iam_token_file": path})
    async with open_client(settings, sleep=waits) as client:
        await client.get(IMAGES, as_json)
        path.write_text("")
        with capture_logs() as logs:
            await client.get(IMAGES, as_json)
            await client.get(IMAGES, as_json)
        told = [(log["event"], log["error"]) for log in logs]
        path.write_text("t1.later")
        await client.get(IMAGES, as_json)
        path.write_text("")
        server.routes[IMAGES.path] = status(401)
        with pytest.raises(CredentialsError, match="is empty"):
            await client.get(IMAGES, as_json)
    empty = f"the token from the file {path} (credentials.iam_token_file) is empty"
    assert told == [("token_not_renewed", f"{empty}; put a token there")]
    assert bearer(server)[:4] == ["t1.first", "t1.first", "t1.first", "t1.later"]


VARIABLES = [
    ("REGISTRY_IAM_TOKEN", "t1.a"),
    ("IAM_TOKEN", "t1.b"),
    ("NEBIUS_IAM_TOKEN", "t1.c"),
    ("YC_IAM_TOKEN", "t1.d"),
    ("YC_TOKEN", "t1.e"),
]


@pytest.mark.parametrize("first", range(len(VARIABLES)))
async def test_the_environments_variables_are_tried_in_their_order(
    first: int, server: Scripted, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    for name, value in [*VARIABLES[first:], ("REGISTRY_OAUTH_TOKEN", OAUTH)]:
        monkeypatch.setenv(name, value)
    await get_images(server, waits, {})
    assert bearer(server) == [VARIABLES[first][1]]


@pytest.mark.parametrize("name", ["YC_TOKEN", "REGISTRY_OAUTH_TOKEN"])
async def test_an_oauth_token_of_the_environment_is_exchanged(
    name: str, server: Scripted, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: ok(ISSUED)}
    monkeypatch.setenv(name, OAUTH)
    await get_images(server, waits, {})
    assert exchanges(server) == [{"yandexPassportOauthToken": OAUTH}]


async def test_with_nothing_set_the_metadata_service_is_asked(
    server: Scripted, waits: Waits
) -> None:
    server.routes |= {
        IMAGES.path: ok(PAGE),
        METADATA: ok({"access_token": "t1.vm", "expires_in": 3600}),
    }
    await get_images(server, waits, {"metadata_url": server.url})
    assert bearer(server) == ["t1.vm"]


async def test_with_nothing_at_all_the_error_says_what_can_be_set(
    server: Scripted, waits: Waits
) -> None:
    server.routes[METADATA] = resetting
    with pytest.raises(CredentialsError) as caught:
        await get_images(server, waits, {"metadata_url": server.url})
    for name in ("iam_token_file", "service_account_key_file", "REGISTRY_IAM_TOKEN", "YC_TOKEN"):
        assert name in str(caught.value)
    assert caught.value.exit_code == 4
    assert not server.asked()


BAD_TOKENS = {
    "empty": " \n",
    "two lines": "t1.se\ncret",
    "space": "t1.se cret",
    "text": "t1.sécret",
}


@pytest.mark.parametrize("text", BAD_TOKENS.values(), ids=BAD_TOKENS)
@pytest.mark.parametrize("source", ["iam_token", "iam_token_file", "oauth_token"])
async def test_what_cannot_be_a_token_is_refused_and_not_shown(
    source: str, text: str, server: Scripted, waits: Waits, tmp_path: Path
) -> None:
    given: object = text
    if source == "iam_token_file":
        given = tmp_path / "token"
        given.write_text(text)
    with pytest.raises(CredentialsError, match=source) as caught:
        await get_images(server, waits, {source: given})
    assert "cret" not in str(caught.value)
    assert not server.seen


@contextmanager
def refused_key(path: Path, content: bytes | None) -> Iterator[None]:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CredentialsError) as caught:
        yield
    assert str(path) in str(caught.value)
    assert "hidden" not in str(caught.value)


BAD_KEYS = {
    "missing": None,
    "binary": b"\xff\xfe hidden",
    "too large": b" " * 70_000,
    "not JSON": b"hidden",
    "a list": b'["hidden"]',
    "no private key": b'{"id": "hidden", "service_account_id": "a"}',
    "half a PEM": b'{"id": "k", "service_account_id": "a", "private_key": "-----BEGIN hidden"}',
    "elliptic": orjson.dumps(
        {
            "id": "k",
            "service_account_id": "a",
            "private_key": pem_of(ec.generate_private_key(ec.SECP256R1())),
        }
    ),
}


@pytest.mark.parametrize("content", BAD_KEYS.values(), ids=BAD_KEYS)
async def test_a_key_file_that_cannot_be_used_is_named(
    content: bytes | None, server: Scripted, waits: Waits, key_file: Path
) -> None:
    with refused_key(key_file, content):
        await get_images(server, waits, {"service_account_key_file": key_file})
    assert not server.seen


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 1), (0o604, 1)])
async def test_a_key_file_that_others_may_read_is_warned_about_once(
    mode: int, warned: int, server: Scripted, waits: Waits, key_file: Path
) -> None:
    server.routes |= {
        IMAGES.path: [status(401), ok(PAGE)],
        EXCHANGE: [ok({**ISSUED, "iamToken": "t1.old"}), ok(ISSUED)],
    }
    open_up(key_file, mode)
    with capture_logs() as logs:
        await get_images(server, waits, {"service_account_key_file": key_file})
    assert len(exchanges(server)) == 2
    warnings = [log for log in logs if log["event"] == "key_file_open_to_others"]
    assert len(warnings) == warned
    assert all(log["path"] == str(key_file) for log in warnings)


async def test_an_exchange_that_fails_in_passing_is_tried_again(
    server: Scripted, waits: Waits
) -> None:
    script: list[Play] = [status(503), resetting, raw(200, b"<html>"), ok(ISSUED)]
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: script}
    await get_images(server, waits, {"oauth_token": OAUTH})
    assert len(exchanges(server)) == 4


@pytest.mark.parametrize("http_status", [400, 401, 403])
async def test_a_refused_exchange_ends_the_run_without_quoting_anything(
    http_status: int, server: Scripted, waits: Waits
) -> None:
    server.routes[EXCHANGE] = status(http_status, {"code": 16, "message": f"{OAUTH} is wrong"})
    with pytest.raises(CredentialsError, match=r"The cloud refuses credentials\.oauth_token") as e:
        await get_images(server, waits, {"oauth_token": OAUTH})
    assert f"answered {http_status} UNAUTHENTICATED" in str(e.value)
    assert OAUTH not in str(e.value)
    assert len(exchanges(server)) == 1


NO_TOKEN: dict[str, tuple[Play, str]] = {
    "not found": (status(404, {"code": 5, "message": "no"}), "it was answered 404 NOT_FOUND; "),
    "another method": (status(405), "it was answered 405, and asking "),
    "moved": (status(302, Location="https://elsewhere.example"), "redirects are not followed"),
    "no JSON": (raw(200, b"{"), "the answer is not JSON; "),
    "no object": (ok([]), "something other than a JSON object, and asking "),
}


@pytest.mark.parametrize(("answer", "words"), NO_TOKEN.values(), ids=NO_TOKEN)
@pytest.mark.parametrize(
    ("path", "credentials", "source"),
    [
        (EXCHANGE, {"oauth_token": OAUTH}, "credentials.oauth_token: POST "),
        (METADATA, {"metadata": True}, "the metadata service of this machine"),
    ],
    ids=["exchange", "metadata"],
)
async def test_a_token_that_cannot_be_had_is_no_failure_of_the_listing_that_waits_for_it(
    path: str,
    credentials: dict[str, Any],
    source: str,
    answer: Play,
    words: str,
    server: Scripted,
    waits: Waits,
) -> None:
    server.routes[path] = answer
    with pytest.raises(CredentialsError, match="No token came from ") as caught:
        await get_images(server, waits, {**credentials, "metadata_url": server.url})
    said = str(caught.value)
    assert source in said
    assert words in said
    assert "; check that " in said
    assert not server.asked()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(503), "it was answered 503"),
        (status(429, {"code": 8}), "refuses every call.*it was answered 429"),
        (resetting, "the connection broke before the answer came"),
    ],
    ids=["overloaded", "too many calls", "no connection"],
)
async def test_a_token_service_that_is_down_ends_the_run_as_an_outage(
    answer: Play, words: str, server: Scripted, waits: Waits
) -> None:
    server.routes[EXCHANGE] = answer
    with pytest.raises(OutageError, match=words) as caught:
        await get_images(server, waits, {"oauth_token": OAUTH})
    assert "no token came from credentials.oauth_token" in str(caught.value)
    assert caught.value.exit_code == 1
    assert not server.asked()


async def test_a_token_service_that_comes_back_is_waited_for(
    server: Scripted, waits: Waits
) -> None:
    script: list[Play] = [status(503)] * 6 + [ok(ISSUED)]
    server.routes |= {IMAGES.path: ok(PAGE), EXCHANGE: script}
    settings = settings_for(server, credentials={"oauth_token": OAUTH}, limits={"outage": 60})
    async with open_client(settings, sleep=waits) as client:
        await client.get(IMAGES, as_json)
    assert len(exchanges(server)) == 7


@pytest.mark.parametrize("answer", [{}, {"iamToken": ""}, {"iamToken": "t1.a\nb"}])
async def test_an_exchange_without_a_usable_token_is_said(
    answer: dict[str, str], server: Scripted, waits: Waits
) -> None:
    server.routes[EXCHANGE] = ok(answer)
    with pytest.raises(CredentialsError, match=r"the exchange of credentials\.oauth_token"):
        await get_images(server, waits, {"oauth_token": OAUTH})


def test_this_machines_own_tokens_are_not_in_the_way() -> None:
    assert not any(name in os.environ for name, _ in VARIABLES)
