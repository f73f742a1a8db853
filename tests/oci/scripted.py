"""A registry that misbehaves as registries have been seen to, one repository for each way."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def error(status: int, code: str = "", message: str = "", **headers: str) -> web.Response:
    """Return an error of the registry's own."""
    content = {"errors": [{"code": code, "message": message}]}
    return web.json_response(content, status=status, headers=headers)


@dataclass
class Blobs:
    """Content by digest."""

    content: dict[str, bytes] = field(default_factory=dict)

    def add(self, body: bytes) -> str:
        """Keep content; return its digest."""
        self.content[digest_of(body)] = body
        return digest_of(body)

    def image(self, salt: str) -> tuple[str, bytes]:
        """Make an image; return its digest and its manifest."""
        config = json.dumps({"os": "linux", "architecture": "amd64", "salt": salt}).encode()
        body = json.dumps(
            {
                "schemaVersion": 2,
                "config": {"mediaType": CONFIG, "digest": self.add(config), "size": len(config)},
                "layers": [{"mediaType": LAYER, "digest": "sha256:" + "1" * 64, "size": 10}],
            }
        ).encode()
        return self.add(body), body


Handler = Callable[[web.Request, str, str], web.Response | None]
"""Answers one request in its own way, of a repository and its reference; None for the usual."""


class ScriptedRegistry:
    """Repositories with tags; `ways` are handlers for some of them.

    `asked` counts the requests, by method and path. With `catalog`, that answers for the list.
    """

    def __init__(self) -> None:
        self.host = ""
        self.blobs = Blobs()
        self.tags: dict[str, dict[str, str]] = {}
        self.ways: dict[str, Handler] = {}
        self.asked: Counter[str] = Counter()
        self.authorized: Callable[[web.Request], web.Response | None] = lambda _: None
        self.catalog: Callable[[web.Request], web.Response] | None = None
        self.other: Callable[[web.Request], web.Response] | None = None

    def fill(self, repository: str, *tags: str, way: Handler | None = None) -> None:
        """Make a repository with an image for each tag."""
        self.tags[repository] = {tag: self.blobs.image(f"{repository}:{tag}")[0] for tag in tags}
        if way is not None:
            self.ways[repository] = way

    @asynccontextmanager
    async def served(self) -> AsyncIterator[ScriptedRegistry]:
        """Serve within the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.host = f"127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[f"{request.method} {request.path_qs}"] += 1
        path = request.path
        if not path.startswith("/v2/") and self.other is not None:
            return self.other(request)
        refusal = self.authorized(request)
        if refusal is not None:
            return refusal
        if path == "/v2/":
            return web.json_response({})
        if path == "/v2/_catalog":
            usual = web.json_response({"repositories": sorted(self.tags)})
            return usual if self.catalog is None else self.catalog(request)
        return self._in_repository(request, path)

    def _in_repository(self, request: web.Request, path: str) -> web.Response:
        for part in ("/tags/list", "/manifests/", "/blobs/"):
            name, found, reference = path.removeprefix("/v2/").rpartition(part)
            if found:
                way = self.ways.get(name)
                own = way(request, part.strip("/"), reference) if way else None
                return own or self.usual(request, name, part, reference)
        return error(404, "NAME_UNKNOWN")

    def usual(self, request: web.Request, name: str, part: str, reference: str) -> web.Response:
        """Answer as a good registry does."""
        tags = self.tags.get(name)
        if tags is None:
            return error(404, "NAME_UNKNOWN")
        if part == "/tags/list":
            return web.json_response({"name": name, "tags": list(tags)})
        digest = tags.get(reference, reference)
        body = self.blobs.content.get(digest)
        if body is None:
            return error(404, "MANIFEST_UNKNOWN" if part == "/manifests/" else "BLOB_UNKNOWN")
        return web.Response(
            body=body, headers={"Docker-Content-Digest": digest, "Content-Type": type_of(body)}
        )


def type_of(body: bytes) -> str:
    """Return the media type of content."""
    content: dict[str, Any] = json.loads(body)
    if "fsLayers" in content:
        return SCHEMA1
    return INDEX if "manifests" in content else MANIFEST if "layers" in content else CONFIG
