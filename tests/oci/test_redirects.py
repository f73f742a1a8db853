"""Redirects of blobs: which are followed, with what, and which never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from exporter.http.auth import TokenHeader
from exporter.http.redirects import RefusedRedirectError, redirected
from exporter.http.status import ErrorText
from exporter.http.transport import Transport

TOKEN = SecretStr("Bearer planted-token-of-the-tests")


@asynccontextmanager
async def serving(hops: int) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Serve a chain of so many redirects from `/0`; yield the URL and what was asked."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        place = int(request.match_info["place"])
        if place < hops:
            return web.Response(status=307, headers={"Location": f"/{place + 1}?sig=x%2Fy"})
        return web.Response(body=b"content")

    app = web.Application()
    app.router.add_get("/{place}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("hops", "status"), [(0, 200), (1, 200), (5, 200), (6, 307)])
async def test_five_redirects_are_followed_without_the_token(hops: int, status: int) -> None:
    transport = Transport(
        connections=1,
        ca_file=None,
        read_error=lambda _: ErrorText("", ""),
        token_header=TokenHeader("Authorization"),
    )
    async with serving(hops) as (url, seen), transport:
        reply = await transport.send(
            f"{url}/0",
            timeout=30,
            max_bytes=100,
            token=TOKEN,
            headers={"X-Own": "1"},
            redirects=5,
            any_body=True,
        )
    assert (reply.status, len(seen)) == (status, min(hops, 5) + 1)
    assert [request.headers.get("Authorization") for request in seen] == [
        TOKEN.get_secret_value(),
        *[None] * (len(seen) - 1),
    ]
    assert [request.headers.get("X-Own") for request in seen[1:]] == [None] * (len(seen) - 1)
    assert all(request.path_qs.endswith("?sig=x%2Fy") for request in seen[1:])


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("https://reg.example/v2/x", "http://store.example/x"),
        ("https://reg.example/v2/x", "https://127.0.0.1/x"),
        ("https://reg.example/v2/x", "https://[::ffff:127.0.0.1]/x"),
        ("https://reg.example/v2/x", "https://localhost:8080/x"),
        ("https://reg.example/v2/x", "https://0.0.0.0/x"),
        ("http://reg.example/v2/x", "http://169.254.169.254/latest/meta-data"),
        ("http://127.0.0.1:5000/v2/x", "http://169.254.169.254/latest/meta-data"),
        ("https://reg.example/v2/x", "file:///etc/passwd"),
    ],
)
async def test_a_redirect_to_where_nothing_must_go_is_refused(address: str, location: str) -> None:
    with pytest.raises(RefusedRedirectError):
        await redirected(URL(address), location, resolve=False)


async def test_a_name_that_resolves_to_this_machine_is_refused() -> None:
    with pytest.raises(RefusedRedirectError, match="this machine's own"):
        await redirected(URL("https://reg.example/"), "https://2130706433/x", resolve=True)
