"""The API of the fake source, over HTTP: shelves of images in numbered pages, behind a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

SHELVES = {"atlas": 9, "bible": 23, "codex": 2, "diary": 0}
"""How many images are on each shelf."""
BOXES = ("app", "lib")
PAGE_SIZE = 3
CALLS = 2 + 3 + 8 + 1 + 1
"""The fewest calls that list everything: two pages of shelves, and those of each shelf."""


def images_of(shelf: str) -> list[dict[str, Any]]:
    """Return what is on a shelf: images that share their first layer."""
    return [
        {
            "sha": f"sha256:{shelf}{number}",
            "box": BOXES[number % len(BOXES)],
            "labels": [f"v{number}"] if number % 3 else [],
            "parts": {f"sha256:{shelf}-base": 1000, f"sha256:{shelf}-top-{number}": number},
        }
        for number in range(SHELVES[shelf])
    ]


class Library:
    """Serves the shelves; `calls` are the pages that were asked for, in order.

    `closed` are shelves that the key does not open. Before a call is answered, `meanwhile` is
    awaited.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[str] = []
        self.closed: set[str] = set()
        self.busy = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Library]:
        """Serve within the block."""
        app = web.Application()
        app.router.add_get("/shelves", self._shelves)
        app.router.add_get("/shelves/{shelf}/images", self._images)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _shelves(self, request: web.Request) -> web.Response:
        shelves = [{"name": name, "boxes": BOXES[: SHELVES[name]]} for name in SHELVES]
        return await self._page(request, "shelves", shelves)

    async def _images(self, request: web.Request) -> web.Response:
        shelf = request.match_info["shelf"]
        if shelf in self.closed:
            self.calls.append(request.path_qs)
            return _oops(403, "no-entry", f"shelf {shelf} is locked")
        return await self._page(request, "images", images_of(shelf))

    async def _page(self, request: web.Request, name: str, items: Sequence[Any]) -> web.Response:
        self.calls.append(request.path_qs)
        if self.meanwhile is not None:
            await self.meanwhile()
        if request.headers.get("X-Library-Key") != "open-sesame":
            return _oops(401, "no-such-key", "who are you?")
        if self.busy:
            self.busy -= 1
            return _oops(503, "too-many-readers", "come back later")
        number = int(request.query["page"])
        pages = -(-len(items) // PAGE_SIZE) or 1
        shown = items[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        return web.json_response({name: shown, "of": pages})


def _oops(status: int, kind: str, text: str) -> web.Response:
    return web.json_response({"oops": {"kind": kind, "text": text}}, status=status)
