"""A small S3 server for tests: it does what S3 does, or what stores that are not quite S3 do.

Objects live in memory, by path (`/bucket/key`). It knows objects, their conditions, multipart
uploads and lists (version 2), which is all that publishing needs; signatures it does not check.
Generations, by which Google Cloud Storage tells contents apart, it knows too.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web


@dataclass
class Oddities:
    """How a server differs from S3.

    Attributes:
        conditions: Whether conditional writes hold, are ignored, or are refused with 501.
        denied: Methods that are answered with 403.
        refuses_chunked: Whether a body in aws-chunked encoding is answered with 501.
        region: Where the bucket is; a request signed for another region is refused.
        silent: Whether requests are read and never answered.
    """

    conditions: Literal["hold", "ignored", "refused"] = "hold"
    denied: frozenset[str] = frozenset()
    refuses_chunked: bool = False
    region: str | None = None
    silent: bool = False


@dataclass
class Call:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class S3:
    """Serves S3 on a loopback port from a thread of its own; a context manager."""

    buckets: frozenset[str] = frozenset({"bucket"})
    oddities: Oddities = field(default_factory=Oddities)
    tls: ssl.SSLContext | None = None
    objects: dict[str, bytes] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = lambda _call: None
    url: str = ""

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def names(self, bucket: str = "bucket") -> list[str]:
        """Return the keys of the objects in a bucket."""
        return sorted(key.removeprefix(f"/{bucket}/") for key in list(self.objects))

    def copy_to(self, folder: Path, prefix: str) -> Path:
        """Write the objects below a prefix of the bucket to a folder, and return it."""
        for key in self.names():
            if key.startswith(f"{prefix}/"):
                path = folder / key.removeprefix(f"{prefix}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.objects[f"/bucket/{key}"])
        return folder

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)

        async def begin() -> None:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
            ready.set()

        self._loop.run_until_complete(begin())
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = unquote(request.rel_url.raw_path), dict(request.query)
        body = await request.read()
        self.calls.append(Call(request.method, path, query, dict(request.headers)))
        self.before(self.calls[-1])
        if self.oddities.silent:
            await asyncio.Event().wait()
        bucket = path.split("/")[1]
        if bucket not in self.buckets:
            return _error(404, "NoSuchBucket", "The specified bucket does not exist")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if request.method == "GET" and "list-type" in query:
            return self._list(bucket, query)
        if "uploads" in query or "uploadId" in query:
            return self._multipart(request.method, path, query, body)
        return self._object(request, path, body)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.method in self.oddities.denied:
            return _error(403, "AccessDenied", "Access Denied")
        if self.oddities.refuses_chunked and (
            "aws-chunked" in request.headers.get("Content-Encoding", "")
            or request.headers.get("x-amz-content-sha256", "").startswith("STREAMING")
        ):
            return _error(501, "NotImplemented", "Transfer-Encoding aws-chunked is not implemented")
        region = self.oddities.region
        if region and f"/{region}/s3/" not in request.headers.get("Authorization", ""):
            return _error(
                400,
                "AuthorizationHeaderMalformed",
                f"The region is wrong; expecting '{region}'",
                f"<Region>{region}</Region>",
            )
        return None

    def _object(self, request: web.Request, path: str, body: bytes) -> web.Response:
        there = self.objects.get(path)
        if request.method == "PUT":
            refusal = self._condition(request, path, there)
            if refusal is not None:
                return refusal
            self.objects[path] = body
            self.generations[path] = self.generations.get(path, 1_790_000_000_000_000) + 1
            return web.Response(headers={"ETag": _etag(body), **self._generation(path)})
        if request.method == "DELETE":
            self.objects.pop(path, None)
            return web.Response(status=204)
        if there is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        headers = {
            "ETag": _etag(there),
            "Last-Modified": "Mon, 23 Nov 2026 02:00:00 GMT",
            "Accept-Ranges": "bytes",
            **self._generation(path),
        }
        part = request.http_range
        if part.start is None:
            return web.Response(body=there, headers=headers)
        some = there[part]
        begin = part.start if part.start >= 0 else max(0, len(there) + part.start)
        headers["Content-Range"] = f"bytes {begin}-{begin + len(some) - 1}/{len(there)}"
        return web.Response(status=206, body=some, headers=headers)

    def _generation(self, path: str) -> dict[str, str]:
        return {"x-goog-generation": str(self.generations.get(path, 0))}

    def _condition(
        self, request: web.Request, path: str, there: bytes | None
    ) -> web.Response | None:
        new, same = request.headers.get("If-None-Match"), request.headers.get("If-Match")
        generation = request.headers.get("x-goog-if-generation-match")
        if not (new or same or generation) or self.oddities.conditions == "ignored":
            return None
        if self.oddities.conditions == "refused":
            return _error(501, "NotImplemented", "A header you provided is not implemented")
        if same is not None and there is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        held = "0" if there is None else str(self.generations.get(path, 0))
        if (
            (new and there is not None)
            or (same and there is not None and _etag(there) != same)
            or (generation and generation != held)
        ):
            return _error(412, "PreconditionFailed", "A condition did not hold")
        return None

    def _multipart(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> web.Response:
        if method == "POST" and "uploads" in query:
            upload = uuid.uuid4().hex
            self.uploads[upload] = {}
            return _xml(
                "InitiateMultipartUploadResult",
                f"<Bucket>b</Bucket><Key>k</Key><UploadId>{upload}</UploadId>",
            )
        parts = self.uploads[query["uploadId"]]
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            return web.Response(headers={"ETag": _etag(body)})
        del self.uploads[query["uploadId"]]
        if method == "DELETE":
            return web.Response(status=204)
        self.objects[path] = b"".join(parts[number] for number in sorted(parts))
        etag = escape(_etag(self.objects[path]))
        return _xml("CompleteMultipartUploadResult", f"<Key>k</Key><ETag>{etag}</ETag>")

    def _list(self, bucket: str, query: dict[str, str]) -> web.Response:
        prefix = query.get("prefix", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        keys = [key for key in self.names(bucket) if key.startswith(prefix) and key > after]
        page = keys[:1000]
        content = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[f'/{bucket}/{key}'])}"
            "</Size><LastModified>2026-11-23T02:00:00.000Z</LastModified>"
            f"<ETag>{escape(_etag(self.objects[f'/{bucket}/{key}']))}</ETag></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        content += f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        if more:
            content += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return _xml("ListBucketResult", content)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _xml(root: str, content: str) -> web.Response:
    return web.Response(
        text=f'<?xml version="1.0" encoding="UTF-8"?><{root}>{content}</{root}>',
        content_type="application/xml",
    )


def _error(status: int, code: str, message: str, more: str = "") -> web.Response:
    response = _xml("Error", f"<Code>{code}</Code><Message>{escape(message)}</Message>{more}")
    response.set_status(status)
    return response
