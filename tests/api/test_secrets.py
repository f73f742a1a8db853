"""Nothing the client says holds a secret: no log, no error, no traceback, no repr."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from exporter.errors import ExporterError, PageError
from exporter.http.types import Received
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
    resetting,
    settings_for,
    status,
)

EXCHANGE = "/iam/v1/tokens"
ISSUED = "t1.issued-secret-Q7"
OAUTH = "y0_oauth-secret-Z9"
EXPIRES = "2100-01-01T00:00:00Z"

ENDINGS: dict[str, Play] = {
    "reset": resetting,
    "no HTTP": raw(200, b""),
    "truncated": raw(200, b"{", Content_Length="9"),
    "denied": status(403, {"code": 7, "message": f"{TOKEN} {ISSUED} may not"}),
    "unauthorized": status(401, {"code": 16, "message": f"{TOKEN} {ISSUED} is bad"}),
    "redirect": status(302, Location="https://elsewhere.example"),
}


def everything(error: BaseException, logs: object, caplog: pytest.LogCaptureFixture) -> str:
    told = ["".join(traceback.format_exception(error)), repr(error), repr(logs), caplog.text]
    link: BaseException | None = error
    while link is not None:
        told.append(repr(vars(link)))
        link = link.__cause__ or link.__context__
    return "\n".join(told)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("credentials", [{"iam_token": TOKEN}, {"oauth_token": OAUTH}], ids=str)
async def test_a_failed_call_tells_no_secret(
    ending: Play,
    credentials: dict[str, str],
    server: Scripted,
    waits: Waits,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.routes |= {
        IMAGES.path: ending,
        EXCHANGE: ok({"iamToken": ISSUED, "expiresAt": EXPIRES}),
    }
    settings = settings_for(server, credentials=credentials, limits={"attempts": 2})
    with capture_logs() as logs:
        async with open_client(settings, sleep=waits) as client:
            with pytest.raises(ExporterError) as caught:
                await client.get(IMAGES, as_json)
            told = everything(caught.value, [logs, repr(client), repr(vars(client))], caplog)
    assert IMAGES.scope in told
    sent = {request.headers.get("authorization", "") for request in server.seen}
    assert sent & {f"Bearer {TOKEN}", f"Bearer {ISSUED}"}
    for secret in (TOKEN,) if "iam_token" in credentials else (ISSUED, OAUTH):
        assert secret not in told


LONG = "t1." + "".join(f"{number:04x}-" for number in range(300))
QUOTING: dict[str, Play] = {
    "message": status(403, {"code": 7, "message": f"the subject of {LONG} may not"}),
    "status that passes": status(500, {"code": 13, "message": f"cannot check {LONG}"}),
    "redirect": status(302, Location=f"https://login.example/?token={LONG}"),
    "request id": status(403, {"code": 7, "message": "no"}, x_request_id=LONG),
    "request id of half an answer": raw(200, b"{", Content_Length="9", x_request_id=LONG),
    "page": raw(200, b'{"images":"' + LONG.encode() + b'"}'),
    "encoding": raw(200, b"{}", Content_Encoding=LONG),
}


@pytest.mark.parametrize("ending", QUOTING.values(), ids=QUOTING)
async def test_no_piece_of_a_long_token_that_the_server_quotes_is_told(
    ending: Play, server: Scripted, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    async def decode(received: Received) -> None:
        raise PageError(f"images are {received.body.decode()[:100]}")

    caplog.set_level(logging.DEBUG)
    server.routes[IMAGES.path] = ending
    settings = settings_for(server, credentials={"iam_token": LONG}, limits={"attempts": 2})
    with capture_logs() as logs:
        async with open_client(settings, sleep=waits) as client:
            with pytest.raises(ExporterError) as caught:
                await client.get(IMAGES, decode)
            told = everything(caught.value, [logs, repr(vars(client))], caplog)
    assert IMAGES.scope in told
    assert [start for start in range(0, len(LONG), 10) if LONG[start : start + 10] in told] == []


async def test_a_page_token_is_not_told_for_it_may_be_anything(
    server: Scripted, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.routes |= {IMAGES.path: status(503), FOLDERS.path: ok({})}
    settings = settings_for(server, credentials={"iam_token": LONG}, limits={"attempts": 2})
    with capture_logs() as logs:
        async with open_client(settings, sleep=waits) as client:
            await client.get(FOLDERS, as_json)
            with pytest.raises(ExporterError, match="pageToken=…") as caught:
                await client.get(IMAGES.with_params(pageToken=LONG), as_json)
            told = everything(caught.value, [logs], caplog)
    assert [start for start in range(0, len(LONG), 10) if LONG[start : start + 10] in told] == []


async def test_a_page_that_quotes_the_token_comes_without_it(
    server: Scripted, waits: Waits
) -> None:
    # It goes into the journal, which holds no token whatever the server does.
    server.routes[IMAGES.path] = ok({"images": [{"id": f"before {TOKEN} after"}]})
    async with open_client(settings_for(server), sleep=waits) as client:
        answer = await client.get(IMAGES, as_json)
    assert answer.page == {"images": [{"id": "before … after"}]}
    assert TOKEN.encode() not in answer.body


async def test_a_token_that_is_a_word_is_not_looked_for_in_what_the_server_says(
    server: Scripted, waits: Waits
) -> None:
    async def decode(_: Received) -> None:
        raise PageError("the latest field is not a list")

    server.routes |= {
        IMAGES.path: status(403, {"code": 7, "message": "only the latest test may"}),
        FOLDERS.path: ok({"folders": "the latest"}),
    }
    settings = settings_for(server, credentials={"iam_token": "test"}, limits={"attempts": 1})
    async with open_client(settings, sleep=waits) as client:
        with pytest.raises(ExporterError, match="only the latest test may"):
            await client.get(IMAGES, as_json)
        with pytest.raises(ExporterError, match="the latest field is not a list"):
            await client.get(FOLDERS, decode)


@pytest.mark.parametrize("ending", [status(401), status(503), resetting, raw(200, b"{")])
async def test_a_failed_exchange_tells_no_secret(
    ending: Play,
    server: Scripted,
    waits: Waits,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    pem = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
    path = tmp_path / "key.json"
    path.write_bytes(orjson.dumps({"id": "k1", "service_account_id": "s1", "private_key": pem}))
    server.routes[EXCHANGE] = ending
    settings = settings_for(server, credentials={"service_account_key_file": path})
    with capture_logs() as logs:
        async with open_client(settings, sleep=waits) as client:
            with pytest.raises(ExporterError) as caught:
                await client.get(IMAGES, as_json)
            told = everything(caught.value, [logs, repr(vars(client))], caplog)
    signed = orjson.loads(server.seen[0].body)["jwt"]
    assert str(path) in told
    assert signed not in told
    assert pem.splitlines()[1] not in told
