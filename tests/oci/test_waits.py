"""A registry puts a caller off: for a moment, which is waited for, or for hours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from aiohttp import web

from exporter import export
from exporter.http.status import ErrorAnswer
from exporter.sources.oci.errors import read_error
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import read_only_snapshot


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "least", "most"),
    [
        (429, {"X-Retry-After": "+20"}, b"", "RESOURCE_EXHAUSTED", 15, 20),
        (429, {"X-Retry-After": "+9000"}, b"", "FAILED_PRECONDITION", 0, 0),
        (429, {"X-Retry-After": "-20"}, b"", "RESOURCE_EXHAUSTED", 1, 1),
        (
            429,
            {},
            "retry-after: 975.37µs, allowed: 44000/minute".encode(),
            "RESOURCE_EXHAUSTED",
            1,
            1,
        ),
        (429, {}, b"retry-after: 2.5s", "RESOURCE_EXHAUSTED", 2.5, 2.5),
        (403, {}, b"retry-after: 2.5s", "PERMISSION_DENIED", None, None),
        (429, {}, b"", "RESOURCE_EXHAUSTED", None, None),
        (503, {}, b"<html>busy</html>", "", None, None),
        (404, {}, b"", "NOT_FOUND", None, None),
        (404, {}, b"<html>", "NOT_FOUND", None, None),
    ],
)
def test_a_wait_is_read_wherever_it_stands(
    status: int,
    headers: dict[str, str],
    body: bytes,
    code: str,
    least: float | None,
    most: float | None,
) -> None:
    told = {name: str(int(time.time()) + int(value)) for name, value in headers.items()}
    read = read_error(ErrorAnswer(status, told, body))
    assert read.code == code
    if least is None or most is None:
        assert read.retry_after is None
    else:
        assert read.retry_after is not None
        assert least <= float(read.retry_after) <= most


class Hub(ScriptedRegistry):
    """A registry that allows so many pulls; `pulls` are those it has answered."""

    def __init__(self, allowed: int) -> None:
        super().__init__()
        self.allowed, self.pulls = allowed, 0
        self.authorized = self._count
        self.fill("library/app", *(f"v{place}" for place in range(12)))

    def _count(self, request: web.Request) -> web.Response | None:
        if request.method != "GET" or "/manifests/" not in request.path:
            return None
        if self.pulls >= self.allowed:
            again = str(int(time.time()) + 5 * 3600)
            return error(429, "TOOMANYREQUESTS", "pull rate limit", **{"X-Retry-After": again})
        self.pulls += 1
        return None

    def usual(self, request: web.Request, name: str, part: str, reference: str) -> web.Response:
        reply = super().usual(request, name, part, reference)
        if part == "/manifests/":
            reply.headers["ratelimit-limit"] = f"{self.allowed};w=21600"
            reply.headers["ratelimit-remaining"] = f"{self.allowed - self.pulls};w=21600"
        return reply


async def test_a_quota_of_hours_ends_a_listing_and_the_next_run_goes_on(tmp_path: Path) -> None:
    hub = Hub(5)
    async with hub.served():
        manifest = await export(settings_for(hub.host, tmp_path))
        assert manifest.status == "partial"
        assert hub.pulls == 5
        snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
        assert len(snapshot.tables["images"]) == 5
        (row,) = [row for row in snapshot.tables["coverage"] if row["listing"] == "manifests"]
        assert row["status"] == "partial"
        assert row["http_status"] == 429
        # What was read needs no pull any more.
        hub.allowed = 12
        again = await export(settings_for(hub.host, tmp_path))
    assert (again.status, hub.pulls) == ("complete", 12)
