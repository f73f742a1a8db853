"""The HTTP server: the distribution API, its token service, its storage, and Harbor's API."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from aiohttp import web

from exporter.emulator import sabotage
from exporter.emulator.calls import FAULT, REQUEST_ID, CallLog, recorded
from exporter.emulator.debug import debug_routes
from exporter.emulator.faults import Fault, FaultCoin, Faults
from exporter.emulator.listening import Listener
from exporter.emulator.status import StatusError
from exporter.emulator.throttle import Throttle, Workers

from . import harbor
from .access import CATALOG, Access
from .behaviour import Behaviour, Quirk
from .content import Content
from .estate import Estate
from .replies import RegistryError, as_json
from .routes import Route, pattern_of, route_of
from .truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from .manifests import Row
    from .shape import Shape


class OciEmulator:
    """A registry, within an `async with` block; a second block listens on the same port.

    `behaviour` and `faults` can be replaced at any time, and apply from the next call on.

    Attributes:
        url: Its address, such as `http://127.0.0.1:41234`.
        estate: What is in it.
        calls: The calls so far, and their answers.
        behaviour: How it answers.
        faults: Its faults; see `FAULTS` for their kinds.

    """

    def __init__(
        self,
        shape: Shape,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.estate = Estate(shape)
        self.behaviour = behaviour or Behaviour()
        self.faults = faults or Faults()
        self.calls = CallLog(pattern_of)
        self._listener = Listener(host, port)
        self._storage = Listener(host, 0)
        self._throttle = Throttle()
        self._coin = FaultCoin()
        self._access = Access()
        self._content = Content()
        self._jitter = random.Random(shape.seed)  # noqa: S311 - not for secrets
        self._workers = Workers()

    @property
    def url(self) -> str:
        """Where it is, with the prefix of its paths."""
        return self._listener.url + self.behaviour.prefix

    @property
    def host(self) -> str:
        """Its host and port, by which the tables name it."""
        return self._listener.url.removeprefix("http://")

    async def __aenter__(self) -> Self:
        self.estate.prepare()
        app = web.Application()
        app.router.add_routes(debug_routes(self))
        app.router.add_post("/_emulator/day/{day}", self._set_day)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        app.on_response_prepare.append(self._add_headers)
        storage = web.Application()
        storage.router.add_get("/{repository:.+}/{digest}", self._stored)
        async with AsyncExitStack() as opened:
            await self._listener.start(app)
            opened.push_async_callback(self._listener.stop)
            await self._storage.start(storage)
            opened.pop_all()
        self._access.url = self._listener.url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._storage.stop()
        await self._listener.stop()

    def show(self, shape: Shape) -> None:
        """List another shape from now on: the same registry at a later time."""
        self.estate = Estate(shape)
        self.estate.prepare()

    def truth(self, table: str) -> Iterator[Row] | None:
        """The rows that a complete inventory has; None if it is not a table that is listed."""
        return Truth(self.estate, self.behaviour, self.host).rows(table)

    async def _set_day(self, request: web.Request) -> web.StreamResponse:
        """Let the registry be as it is some days after the first one."""
        self.show(self.estate.shape.on(int(request.match_info["day"])))
        return web.Response(status=204)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await recorded(self.calls, request, partial(self._limited, request))

    async def _limited(self, request: web.Request) -> web.StreamResponse:
        """The answer to a call, after the limits and the time of the service."""
        behaviour = self.behaviour
        try:
            if down := self._coin.outage(self.faults, time.monotonic()):
                return await self._spoiled(request, down, None)
            self._throttle.admit(behaviour, self.calls.in_flight, time.time())
            seconds = behaviour.latency + behaviour.jitter * self._jitter.random()
            await self._workers.spend(seconds, behaviour.workers)
            path = request.path
            is_within = path.startswith(behaviour.prefix)
            route = route_of(path.removeprefix(behaviour.prefix) if is_within else "")
            concerned = self.faults.concern(route.kind, (route.repository,))
            key = f"{request.method} {request.path_qs}"
            fault = self._coin.transient(self.faults, key) if concerned else None
            return await self._spoiled(request, fault, route)
        except StatusError as error:
            return self._refused(error)
        except RegistryError as error:
            return error.answer()

    async def _spoiled(
        self, request: web.Request, fault: Fault | None, route: Route | None
    ) -> web.StreamResponse:
        """The answer to a call, with a fault in it, if there is one; no route is no answer."""
        if fault is None and route is not None:
            return await self._routed(request, route)
        if fault is not None:
            request[FAULT] = fault.value
        sabotage.raise_status(fault, self.faults)
        if fault is Fault.HANG:
            await asyncio.Event().wait()
        if answered := sabotage.gateways_answer(fault):
            return answered
        if route is None or fault is None or fault is Fault.RESET:
            return sabotage.reset(request)
        answer = await self._routed(request, route)
        if request.method == "HEAD" or not isinstance(answer, web.Response):
            return answer
        return await sabotage.spoil_answer(fault, request, answer, route.field, self.faults)

    async def _routed(self, request: web.Request, route: Route) -> web.StreamResponse:
        behaviour, now = self.behaviour, time.time()
        header = request.headers.get("Authorization")
        match route.kind:
            case "tokens":
                return self._token(request, behaviour, now)
            case "harbor" if behaviour.flavor == "harbor":
                self._access.check_basic(header, behaviour)
                return harbor.answer(self.estate, request.rel_url.raw_path, request.query)
            case "version":
                self._access.check(header, "", behaviour, now)
                return as_json({}, {"Docker-Distribution-Api-Version": "registry/2.0"})
            case "catalog":
                await self._refuse_catalog(behaviour)
                self._access.check(header, CATALOG, behaviour, now)
                return self._content.catalog(self.estate, request.query, behaviour)
        return self._of_repository(request, route, behaviour, now)

    def _of_repository(
        self, request: web.Request, route: Route, behaviour: Behaviour, now: float
    ) -> web.StreamResponse:
        header = request.headers.get("Authorization")
        repository = self.estate.repository(route.repository)
        self._access.check(header, f"repository:{route.repository}:pull", behaviour, now)
        if repository is None:
            raise RegistryError(404, "repository name not known to registry")
        if route.kind == "tags":
            return self._content.tags(repository, request.query, behaviour)
        if route.kind == "manifests":
            return self._content.manifest(repository, route.reference, request, behaviour)
        if route.kind == "blobs":
            storage = self._storage.url if behaviour.has(Quirk.REDIRECTS) else ""
            return self._content.blob(repository, route.reference, request, behaviour, storage)
        raise RegistryError(404, "there is no such call", code="NOT_FOUND")

    def _token(self, request: web.Request, behaviour: Behaviour, now: float) -> web.StreamResponse:
        if behaviour.access != "token":
            raise RegistryError(404, "there is no token service")
        if request.method != "GET":
            raise RegistryError(405, "use GET")
        header = request.headers.get("Authorization")
        return as_json(self._access.grant(header, request.query.get("scope"), behaviour, now))

    async def _refuse_catalog(self, behaviour: Behaviour) -> None:
        for quirk, status in (
            (Quirk.CATALOG_401, 401),
            (Quirk.CATALOG_403, 403),
            (Quirk.CATALOG_404, 404),
        ):
            if behaviour.has(quirk):
                raise RegistryError(status, "the list of repositories is not for you")
        if behaviour.has(Quirk.CATALOG_SLOW):
            await asyncio.sleep(behaviour.slow)

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        """A blob from storage, whose address is its own permission: others are not accepted."""
        if "Authorization" in request.headers:
            return web.Response(status=400, text="only one way to authenticate is allowed")
        repository = self.estate.repository(request.match_info["repository"])
        blob = repository.blob(request.match_info["digest"]) if repository is not None else None
        if blob is None or blob.content is None:
            return web.Response(status=404)
        return web.Response(body=blob.content, content_type="application/octet-stream")

    def _refused(self, error: StatusError) -> web.Response:
        """A fault or a limit in the registry's words, and with its own ways to say when."""
        message, headers = error.message, {}
        if error.http == 429 and self.behaviour.has(Quirk.RETRY_IN_BODY):
            message = "retry-after: 975.37µs, allowed: 44000/minute"
        elif error.http == 429 and self.behaviour.has(Quirk.RETRY_AT):
            headers["X-Retry-After"] = str(int(time.time()))
        elif error.retry_after is not None:
            headers["Retry-After"] = error.retry_after
        return RegistryError(error.http, message, headers=headers).answer()

    async def _add_headers(self, request: web.Request, answer: web.StreamResponse) -> None:
        if REQUEST_ID in request:
            answer.headers["x-request-id"] = request[REQUEST_ID]
