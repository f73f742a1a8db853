"""The emulator's own addresses under `/_emulator`: counts and the true tables, for tests.

They need no token, are not logged, and have no faults.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .calls import CallLog

_ROWS_AT_ONCE = 256


class Observed(Protocol):
    """What is told of an emulator: what there is, and what was asked."""

    calls: CallLog

    def truth(self, table: str) -> Iterator[Mapping[str, Any]] | None:
        """The rows of a table; None if there is no such table."""


def debug_routes(emulator: Observed) -> list[web.RouteDef]:
    """`GET /_emulator/stats` and `GET /_emulator/truth/<table>`, the latter as NDJSON."""

    async def stats(_: web.Request) -> web.Response:
        return web.Response(
            body=orjson.dumps(emulator.calls.stats()), content_type="application/json"
        )

    async def truth(request: web.Request) -> web.StreamResponse:
        rows = emulator.truth(request.match_info["table"])
        if rows is None:
            raise web.HTTPNotFound
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(request)
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            await stream.write(b"".join(orjson.dumps(row) + b"\n" for row in some))
        await stream.write_eof()
        return stream

    return [web.get("/_emulator/stats", stats), web.get("/_emulator/truth/{table}", truth)]
