"""One list call: what is sent, what comes back, which faults pass and which do not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from exporter.errors import AnswerError, OutageError, PageError, StatusError, UnreachableError
from exporter.http.types import Counts, Received, Sent
from exporter.sources.cloud.client import open_client
from tests.api.scripted import (
    FOLDERS,
    IMAGES,
    TOKEN,
    Play,
    Scripted,
    Waits,
    as_json,
    dripping,
    endless,
    hanging,
    ok,
    raw,
    resetting,
    settings_for,
    status,
    zipped,
)

PAGE = {"images": [{"id": "crp1img1"}], "nextPageToken": "more"}
FAST = {"request_timeout": 2, "attempts": 3}
"""A whole answer takes a hundredth of that, so a busy machine takes none for one that hangs."""


async def test_a_call_is_sent_as_the_api_wants_it_and_its_page_comes_back(
    server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = ok(PAGE, x_request_id="req-1")
    async with open_client(settings_for(server), sleep=waits) as client:
        answer = await client.get(IMAGES, as_json)
    assert answer.page == PAGE
    assert answer.body == orjson.dumps(PAGE)
    assert (answer.calls, answer.request_id, answer.wire_bytes) == (1, "req-1", len(answer.body))
    (request,) = server.asked()
    assert request.method == "GET"
    assert request.query == {"registryId": "crp1", "pageSize": "1000"}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept-encoding"] == "gzip"


async def test_parameters_arrive_as_they_were_given(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    call = IMAGES.with_params(filter='name = "a b&c+d"', pageToken="100%/=é")
    async with open_client(settings_for(server), sleep=waits) as client:
        await client.get(call, as_json)
    assert server.asked()[0].query == dict(call.params)


async def test_a_packed_page_is_unpacked_and_its_wire_bytes_are_counted(
    server: Scripted, waits: Waits
) -> None:
    body = orjson.dumps({"images": [{"id": "same"}] * 50_000})
    server.routes[IMAGES.path] = zipped(body)
    async with open_client(settings_for(server), sleep=waits) as client:
        answer = await client.get(IMAGES, as_json)
        counts = client.counts
    assert answer.body == body
    assert answer.wire_bytes < len(body) / 50
    assert counts == Counts(calls=1, retries=0, throttled=0, wire_bytes=answer.wire_bytes)


async def test_a_packed_page_in_several_members_is_whole(server: Scripted, waits: Waits) -> None:
    packed = gzip.compress(b'{"images":') + gzip.compress(b"[]}") + b"\0\0"
    server.routes[IMAGES.path] = raw(200, packed, Content_Encoding="gzip")
    async with open_client(settings_for(server), sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == {"images": []}


PASSING: dict[str, Play] = {
    "429": status(429, {"code": 8}),
    "500": status(500),
    "502": raw(502, b"<html>bad gateway</html>"),
    "503": status(503),
    "504": status(504),
    "large 503": raw(503, b"x" * 300_000),
    "html": raw(200, b"<html>maintenance</html>"),
    "empty": raw(200, b""),
    "null": raw(200, b"null"),
    "reset": resetting,
    "hang": hanging,
    "drip": dripping(orjson.dumps(PAGE), 0.05),
    "truncated": raw(200, orjson.dumps(PAGE)[:20], Content_Length="60"),
    "truncated gzip": raw(200, gzip.compress(b"{}" * 99)[:-4], Content_Encoding="gzip"),
    "broken gzip": raw(200, b'{"images":[]}', Content_Encoding="gzip"),
    "unasked encoding": raw(200, b"{}", Content_Encoding="br"),
    "gzip of what is not": raw(200, gzip.compress(b"{}"), Content_Encoding="gzip, gzip"),
    "204": raw(204, b""),
    "206": raw(206, orjson.dumps(PAGE)[:20], Content_Range="bytes 0-19/60"),
    "202": status(202, {}),
    "304": status(304),
    "408": raw(408, b"<html>408 Request Time-out</html>"),
    "html 400": raw(400, b"<html>400 Bad Request</html>"),
    "html 401": raw(401, b"<html>401 Authorization Required</html>"),
    "html 403": raw(403, b"<html>403 Forbidden</html>"),
    "empty 404": raw(404, b""),
    "a gateway's JSON 404": status(404, {"code": 404, "message": "no Route matched"}),
    "html 405": raw(405, b"<html>405 Not Allowed</html>"),
    "409": raw(409, b"conflict"),
    "409 ABORTED": status(409, {"code": 10}),
    "425": raw(425, b""),
    "499": raw(499, b""),
    "501": raw(501, b""),
    "507": raw(507, b""),
    "520": raw(520, b"error code: 520"),
    "599": raw(599, b""),
    "403 UNAVAILABLE": status(403, {"code": 14, "message": "authorization is down"}),
    "401 DEADLINE_EXCEEDED": status(401, {"code": "4"}),
    "400 CANCELLED": status(400, {"code": "CANCELLED"}),
    "404 UNKNOWN": status(404, {"code": 2.0}),
    "not JSON": raw(200, b'{"images":'),
}


async def decode(received: Received) -> Any:
    """Decode as the tables do: what cannot be decoded is a `PageError`."""
    try:
        return orjson.loads(received.body)
    except orjson.JSONDecodeError:
        raise PageError("the body is not JSON") from None


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_a_passing_fault_is_mended_by_asking_again(
    fault: Play, server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = [fault, ok(PAGE)]
    async with open_client(settings_for(server, limits=FAST), sleep=waits) as client:
        with capture_logs() as logs:
            answer = await client.get(IMAGES, decode)
        counts = client.counts
    assert answer.page == PAGE
    assert answer.calls == len(server.asked()) == counts.calls == 2
    if fault is PASSING["html 401"]:
        assert not waits.seconds  # as with any 401, the token is asked for anew, and no more
        return
    assert counts.retries == len(waits.seconds) == 1
    (event,) = (log for log in logs if log["event"] == "retrying")
    assert (event["scope"], event["attempt"]) == (IMAGES.scope, 1)


LASTING: dict[str, tuple[Play, type[Exception], str]] = {
    "503": (status(503, {"code": 14, "message": "later"}), StatusError, "503 UNAVAILABLE (later)"),
    "html": (raw(200, b"<html>"), AnswerError, "something other than a JSON object"),
    "empty": (raw(200, b" "), AnswerError, "200 with nothing"),
    "reset": (resetting, UnreachableError, "the connection broke"),
    "hang": (hanging, UnreachableError, "no whole answer within 2 seconds"),
    "truncated": (raw(200, b"{", Content_Length="9"), UnreachableError, "the answer was cut short"),
    "bad page": (raw(200, b"{"), AnswerError, "cannot be used: the body is not JSON"),
    "html 403": (
        raw(403, b"<html>forbidden</html>"),
        StatusError,
        "the answer was 403 (Forbidden), with no error of the API's own",
    ),
    "520": (raw(520, b""), StatusError, "520 (Unknown Error behind the Gateway)"),
    "206": (raw(206, b"{}"), AnswerError, "206 (Partial Content), which promises no page"),
}


@pytest.mark.parametrize(("fault", "kind", "text"), LASTING.values(), ids=LASTING)
async def test_a_fault_that_stays_ends_in_one_sentence_after_the_last_attempt(
    fault: Play, kind: type[Exception], text: str, server: Scripted, waits: Waits
) -> None:
    server.routes |= {IMAGES.path: fault, FOLDERS.path: ok({"folders": []})}
    async with open_client(settings_for(server, limits=FAST), sleep=waits) as client:
        await client.get(FOLDERS, decode)  # The host is up: what fails is this listing alone.
        with pytest.raises(kind) as caught:
            await client.get(IMAGES, decode)
    assert len(server.asked()) == 3
    message = str(caught.value)
    assert message.startswith("images of registry crp1: ")
    assert text in message
    assert "asking 3 times did not help" in message
    assert f"GET {server.url}{IMAGES.path}?registryId=crp1" in message
    assert getattr(caught.value, "calls", None) == 3


async def test_a_refused_connection_is_tried_again_and_then_said(waits: Waits) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with open_client(settings_for(Scripted(url), limits=FAST), sleep=waits) as client:
            with pytest.raises(OutageError, match="the connection was refused"):
                await client.get(IMAGES, as_json)
    assert len(waits.seconds) == 2


async def test_waits_grow_with_jitter_and_never_pass_their_bound(
    server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = status(500)
    async with open_client(settings_for(server, limits={"attempts": 12}), sleep=waits) as client:
        with pytest.raises(OutageError):
            await client.get(IMAGES.with_params(pageSize="1"), as_json)
    bounds = [min(0.2 * 2**n, 20.0) for n in range(11)]
    assert all(0 <= wait <= bound for wait, bound in zip(waits.seconds, bounds, strict=True))
    assert len(set(waits.seconds)) == 11


FINAL = {
    400: (3, "INVALID_ARGUMENT"),
    403: (7, "PERMISSION_DENIED"),
    404: (5, "NOT_FOUND"),
    409: (9, "FAILED_PRECONDITION"),
    500: (3, "INVALID_ARGUMENT"),
    501: (12, "UNIMPLEMENTED"),
    503: (7, "PERMISSION_DENIED"),
}


@pytest.mark.parametrize("http_status", FINAL)
async def test_a_status_that_asking_again_cannot_mend_is_raised_at_once(
    http_status: int, server: Scripted, waits: Waits
) -> None:
    code, name = FINAL[http_status]
    body = {"code": code, "message": "said the API", "details": []}
    server.routes[IMAGES.path] = status(http_status, body, x_request_id="req-7")
    async with open_client(settings_for(server), sleep=waits) as client:
        with pytest.raises(StatusError) as caught:
            await client.get(IMAGES, as_json)
    error = caught.value
    assert (error.http_status, error.code, error.request_id, error.calls) == (
        http_status,
        name,
        "req-7",
        1,
    )
    assert f"the API answered {http_status} {name} (said the API)" in str(error)
    assert "(request id req-7)" in str(error)
    assert len(server.asked()) == 1


async def test_a_gateways_status_has_no_code(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = raw(403, b"<html>forbidden</html>")
    async with open_client(settings_for(server, limits=FAST), sleep=waits) as client:
        with pytest.raises(StatusError) as caught:
            await client.get(IMAGES, as_json)
    assert (caught.value.http_status, caught.value.code) == (403, "")


@pytest.mark.parametrize("http_status", [203, 218, 299])
async def test_a_success_that_counts_as_200_is_one(
    http_status: int, server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = status(http_status, PAGE)
    async with open_client(settings_for(server), sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == PAGE
    assert len(server.asked()) == 1


PLAIN = orjson.dumps(PAGE)
BARE = zlib.compressobj(wbits=-15)
CODINGS: dict[str, bytes] = {
    "x-gzip": gzip.compress(PLAIN),
    "GZip": gzip.compress(PLAIN),
    "identity": PLAIN,
    "identity, gzip": gzip.compress(PLAIN),
    "gzip , X-GZIP": gzip.compress(gzip.compress(PLAIN)),
    "deflate": zlib.compress(PLAIN),
    "Deflate": BARE.compress(PLAIN) + BARE.flush(),
    "deflate, gzip": gzip.compress(zlib.compress(PLAIN)),
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_body_is_unpacked_by_each_of_its_codings(
    coding: str, server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = raw(200, CODINGS[coding], Content_Encoding=coding)
    async with open_client(settings_for(server), sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).body == PLAIN


async def test_headers_are_taken_up_to_a_generous_bound_and_refused_by_name_past_it(
    server: Scripted, waits: Waits
) -> None:
    many = {f"X-Trace-{number}": "some" for number in range(400)}
    longer = {"X-Long": "l" * 300_000}
    server.routes[IMAGES.path] = [
        ok(PAGE, **longer),
        ok(PAGE, Set_Cookie="c" * 60_000, **many),
    ]
    limits = {"attempts": 1}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        with pytest.raises(AnswerError, match="a header past 256 KiB, or more than 1000 of"):
            await client.get(IMAGES, as_json)
        assert (await client.get(IMAGES, as_json)).page == PAGE


async def test_a_page_is_decoded_from_its_headers_as_well(server: Scripted, waits: Waits) -> None:
    link = '</v2/_catalog?last=lib%2Fapp>; rel="next"'
    server.routes[IMAGES.path] = ok(PAGE, Link=link, X_Asked_With=f"Bearer {TOKEN}")

    async def cursor(received: Received) -> str:
        return received.headers["link"]

    async with open_client(settings_for(server), sleep=waits) as client:
        answer = await client.get(IMAGES, cursor)
    assert (answer.page, answer.headers["Link"]) == (link, link)
    assert answer.headers["X-Asked-With"] == "Bearer …"


async def test_a_byte_order_mark_before_an_answer_is_let_pass(
    server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = [
        raw(200, b"\xef\xbb\xbf" + PLAIN),
        raw(404, b'\xef\xbb\xbf{"code": 5}'),
    ]
    async with open_client(settings_for(server), sleep=waits) as client:
        assert (await client.get(IMAGES, as_json)).page == PAGE
        with pytest.raises(StatusError, match="404 NOT_FOUND"):
            await client.get(IMAGES, as_json)


async def test_a_redirect_is_not_followed_and_passes(server: Scripted, waits: Waits) -> None:
    moved = status(302, Location=f"{server.url}/login")
    server.routes[IMAGES.path] = [*[moved] * 4, ok(PAGE)]
    async with open_client(settings_for(server, limits=FAST), sleep=waits) as client:
        with pytest.raises(AnswerError, match=r"302, pointing to http.*/login; redirects are not"):
            await client.get(IMAGES, as_json)
        assert (await client.get(IMAGES, as_json)).calls == 2
    assert {request.path for request in server.seen} == {IMAGES.path}


BOMB = zipped(b'{"images":' + b" " * 50_000_000)


@pytest.mark.parametrize("answer", [endless, BOMB], ids=["oversize", "gzip bomb"])
async def test_a_body_past_the_limit_is_given_up_in_bounded_memory(
    answer: Play, server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = answer
    limits = {"max_page_bytes": 1 << 20, "attempts": 2}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        tracemalloc.start()
        try:
            with pytest.raises(AnswerError, match="larger than 1048576 bytes"):
                await client.get(IMAGES, as_json)
            assert tracemalloc.get_traced_memory()[1] < 10 << 20
        finally:
            tracemalloc.stop()
    assert len(server.asked()) == 2


async def test_a_body_of_exactly_the_limit_is_accepted(server: Scripted, waits: Waits) -> None:
    content = b"{}".ljust(4096)
    server.routes[IMAGES.path] = [zipped(content), raw(200, content)]
    limits = {"max_page_bytes": 4096, "attempts": 1}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        for _ in range(2):
            assert (await client.get(IMAGES, as_json)).body == content


async def test_retry_after_is_waited_for_and_holds_the_host(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = [status(429, Retry_After="0.2"), ok(PAGE)]
    async with open_client(settings_for(server), sleep=waits) as client:
        began = asyncio.get_running_loop().time()
        await client.get(IMAGES, as_json)
        assert asyncio.get_running_loop().time() - began >= 0.2
        assert client.counts.throttled == 1
    assert waits.seconds[0] >= 0.2


async def test_no_slot_is_held_while_a_page_is_decoded(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = ok(PAGE)
    async with open_client(settings_for(server), sleep=waits) as client:

        async def slots_in_use(_: Received) -> int:
            return client.limiters[0].in_use

        assert (await client.get(IMAGES, slots_in_use)).page == 0


async def test_no_more_calls_are_under_way_than_the_setting_allows(
    server: Scripted, waits: Waits
) -> None:
    under_way = most = 0

    async def slow(writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        await ok(PAGE)(writer)

    server.routes[IMAGES.path] = slow
    limits = {"concurrency": 3}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        await asyncio.gather(*(client.get(IMAGES, as_json) for _ in range(20)))
    assert most == 3


async def test_a_cancelled_call_gives_its_slot_back(server: Scripted, waits: Waits) -> None:
    server.routes[IMAGES.path] = [hanging, ok(PAGE)]
    limits = {"concurrency": 1}
    async with open_client(settings_for(server, limits=limits), sleep=waits) as client:
        stuck = asyncio.create_task(client.get(IMAGES, as_json))
        await server.arrival.wait()
        stuck.cancel()
        assert (await client.get(IMAGES, as_json)).page == PAGE
        with pytest.raises(asyncio.CancelledError):
            await stuck


async def test_while_a_call_waits_to_be_made_again_its_place_is_not_spare(
    server: Scripted, waits: Waits
) -> None:
    spare: list[bool] = []
    server.routes[IMAGES.path] = [ok(PAGE), status(500), ok(PAGE)]

    async def sleep(seconds: float) -> None:
        spare.append(client.spare("container_registry"))
        await waits(seconds)

    async with open_client(settings_for(server, limits={"concurrency": 1}), sleep=sleep) as client:
        await client.get(IMAGES, as_json)
        assert client.spare("container_registry")
        assert (await client.get(IMAGES, as_json)).calls == 2
        assert spare == [False]
        assert client.spare("container_registry")


async def test_services_at_one_address_share_a_limiter(server: Scripted, waits: Waits) -> None:
    server.routes |= {IMAGES.path: ok(PAGE), FOLDERS.path: ok({"folders": []})}
    async with open_client(settings_for(server), sleep=waits) as client:
        assert not client.spare("container_registry")
        await client.get(IMAGES, as_json)
        assert client.spare("container_registry")
        assert not client.spare("resource_manager")
        await client.get(FOLDERS, as_json)
        assert client.spare("resource_manager")
        assert len(client.limiters) == 1


async def test_a_call_that_is_given_up_is_counted_and_holds_nothing_back(
    server: Scripted, waits: Waits
) -> None:
    server.routes[IMAGES.path] = [hanging, ok(PAGE)]
    sent = Sent()
    settings = settings_for(server, limits={"concurrency": 1})
    async with open_client(settings, sleep=waits) as client:
        asked = asyncio.create_task(client.get(IMAGES, as_json, sent=sent))
        async with asyncio.timeout(200):
            await server.arrival.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert sent.calls == 1
        answer = await client.get(IMAGES, as_json)
        assert answer.page == PAGE
        assert client.counts.calls == 2
