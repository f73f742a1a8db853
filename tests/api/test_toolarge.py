"""Which answers say that a page is too large, and which do not."""

from __future__ import annotations

import asyncio

import pytest

from exporter.errors import ApiError
from exporter.http.faults import Fault
from exporter.http.too_large import says_too_large
from exporter.sources.cloud.client import open_client
from tests.api.scripted import (
    FOLDERS,
    IMAGES,
    Play,
    Scripted,
    Waits,
    as_json,
    ok,
    raw,
    settings_for,
    status,
    write_head,
)
from tests.api.test_client import decode

TOO_LARGE = [
    "grpc: received message larger than max (5242880 vs. 4194304)",
    "SERVER: Sent message larger than max (5242880 vs. 4194304)",
    "gRPC message exceeds maximum size 4194304: 5242880",
    "Error, message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
    "Response payload size (6400000 bytes) exceeded maximum allowed payload size",
]
TOO_FAST = [
    "Request rate is too large",
    "the quota is used up",
    "Quota exceeded for list calls per minute",
    "message rate exceeded",
]


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_names_the_size_of_the_answer_is_about_that(text: str) -> None:
    assert says_too_large(Fault("http_429", text, "status", passing=True, http_status=429))


@pytest.mark.parametrize("text", TOO_FAST)
def test_what_names_the_rate_of_calls_is_not(text: str) -> None:
    assert not says_too_large(Fault("http_429", text, "status", passing=True, http_status=429))


def stalling(content: bytes) -> Play:
    """An answer whose body stops after some bytes, and never ends."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(write_head(200, {"Content-Length": "9999"}) + content)
        await writer.drain()
        await asyncio.Event().wait()

    return play


SIGNS: dict[str, tuple[Play, int]] = {
    "a 429 about the size": (status(429, {"code": 8, "message": TOO_LARGE[0]}), 1),
    "a 413": (raw(413, b"<html>"), 1),
    "a 504": (raw(504, b"<html>"), 4),
    "a body cut off": (raw(200, b'{"images":['), 4),
    "a body that stalls": (stalling(b'{"images":['), 2),
    "a gateway's 503, which is of load too": (raw(503, b"<html>"), 8),
}


@pytest.mark.parametrize(("answer", "calls"), SIGNS.values(), ids=SIGNS)
async def test_after_enough_signs_a_shorter_page_is_advised_unless_it_is_of_one_item(
    answer: Play, calls: int, server: Scripted, waits: Waits
) -> None:
    server.routes |= {IMAGES.path: answer, FOLDERS.path: ok({})}
    limits = {"request_timeout": 0.2}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(ApiError) as caught:
            await client.get(IMAGES, decode)
        assert caught.value.shorter_page_may_do
        assert caught.value.calls == calls
        with pytest.raises(ApiError) as caught:
            await client.get(IMAGES.with_params(pageSize="1"), decode)
        assert not caught.value.shorter_page_may_do


@pytest.mark.parametrize(
    "answer",
    [status(503, {"code": 14}), status(503, {"code": 13}), status(500, {"code": "UNAVAILABLE"})],
)
async def test_an_api_that_says_that_it_is_unavailable_is_asked_for_no_shorter_page(
    answer: Play, server: Scripted, waits: Waits
) -> None:
    server.routes |= {IMAGES.path: answer, FOLDERS.path: ok({})}
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(FOLDERS, as_json)
        with pytest.raises(ApiError) as caught:
            await client.get(IMAGES, decode)
    assert not caught.value.shorter_page_may_do
    assert caught.value.calls == 8
