"""The HTTP server: every service of the cloud on one port, answering from an estate."""

from __future__ import annotations

import asyncio
import random
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Self

import orjson
from aiohttp import web

from . import sabotage
from .behaviour import Behaviour
from .calls import FAULT, REQUEST_ID, CallLog, recorded
from .debug import debug_routes
from .faults import Fault, Faults
from .iam import TokenService
from .listening import Listener
from .listings import Listings
from .parameters import CALLS
from .status import StatusError, not_found
from .throttle import Throttle, Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

    from .estate import Estate
    from .layout import Resource
    from .parameters import Call

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SERVICES = ("container-registry", "resource-manager", "iam", "discovery")
_JSON = "application/json"


class Emulator:
    """The cloud, within an `async with` block; a second block listens on the same port.

    `behaviour` and `faults` can be replaced at any time, and apply from the next call on.

    Attributes:
        url: Its address, such as `http://127.0.0.1:41234`.
        calls: The calls so far, and their answers.
        behaviour: Its behaviour without faults.
        faults: Its faults.
        tokens: The bearer tokens it has issued; `tokens.revoke` refuses one from now on.

    """

    def __init__(
        self,
        estate: Estate,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.estate = estate
        self.behaviour = behaviour or Behaviour()
        self.faults = faults or Faults()
        self.calls = CallLog()
        self.tokens = TokenService(estate.shape.seed)
        self.url = ""
        self._clock = clock
        self._listener = Listener(host, port)
        self._throttle = Throttle()
        self._workers = Workers()
        self._listings = Listings(estate)
        self._jitter = random.Random(estate.shape.seed)  # noqa: S311 - not for secrets

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 20)
        for call in CALLS:
            app.router.add_get(call.path, self._guarded(call.name, self._listing(call)))
        app.router.add_get("/endpoints", self._guarded("endpoints", self._endpoints))
        app.router.add_post("/iam/v1/tokens", self._guarded("tokens", self._tokens))
        app.router.add_get(
            "/computeMetadata/v1/instance/service-accounts/default/token",
            self._guarded("metadata", self._metadata),
        )
        app.router.add_routes(debug_routes(self))
        app.router.add_route("*", "/{rest:.*}", self._guarded("unknown", self._unknown))
        app.on_response_prepare.append(self._add_headers)
        await self._listener.start(app)
        self.url = self._listener.url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._listener.stop()

    def show(self, estate: Estate) -> None:
        """List another estate from now on: the same cloud at a later time. No call may be open."""
        self.estate = estate
        self._listings = Listings(estate)

    def truth(self, table: str) -> Iterator[Resource] | None:
        """The rows of a table of the estate; None if there is no such table."""
        tables = {
            "clouds": self.estate.clouds,
            "folders": self.estate.folders,
            "registries": self.estate.registries,
            "repositories": self.estate.repositories,
            "images": self.estate.images,
        }
        return tables[table]() if table in tables else None

    def _guarded(self, name: str, handler: Handler) -> Handler:
        """The handler, within the steps of every call: the log, the limits, the latency."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            return await recorded(
                self.calls,
                request,
                lambda: self._answer(name, handler, request),
                clock=self._clock,
            )

        return guarded

    async def _answer(
        self, name: str, handler: Handler, request: web.Request
    ) -> web.StreamResponse:
        behaviour = self.behaviour
        try:
            down = self._listings.coin.outage(self.faults, time.monotonic())
            if down:
                return await self._unavailable(down, request)
            self._throttle.admit(behaviour, self.calls.in_flight, self._clock())
            seconds = behaviour.latency + behaviour.jitter * self._jitter.random()
            await self._workers.spend(seconds, behaviour.workers)
            if name in {"tokens", "metadata", "endpoints"}:
                return await self._spoiled(name, name, (), request, lambda: handler(request))
            return await handler(request)
        except StatusError as error:
            return self._error(error)

    def _listing(self, call: Call) -> Handler:
        async def list_items(request: web.Request) -> web.StreamResponse:
            self.tokens.check(
                request.headers.get("Authorization"),
                self.behaviour,
                self._now(),
                self.faults.revoke_after,
            )
            asked = self._listings.ask(call, request.query.items(), self.behaviour, self._clock())

            async def answer() -> web.Response:
                accepts = "gzip" in request.headers.get("Accept-Encoding", "")
                page = self._listings.answer(
                    asked,
                    self.behaviour,
                    self.faults,
                    self._clock(),
                    # The answer of a fault must stay readable up to the broken place.
                    zipped=self.behaviour.gzip and accepts and FAULT not in request,
                )
                if page.oddity:
                    request[FAULT] = page.oddity.value
                headers = {"Content-Encoding": "gzip"} if page.zipped else None
                return web.Response(body=page.body, content_type=_JSON, headers=headers)

            return await self._spoiled(call.name, asked.key, asked.ids, request, answer)

        return list_items

    async def _spoiled(
        self,
        name: str,
        key: str,
        ids: tuple[str, ...],
        request: web.Request,
        handle: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """The answer to a call, with the fault that hits the call, if any."""
        faults = self.faults
        fault = self._listings.coin.transient(faults, key) if faults.concern(name, ids) else None
        if fault:
            request[FAULT] = fault.value
        sabotage.raise_status(fault, faults)
        if fault is Fault.RESET:
            return sabotage.reset(request)
        if fault is Fault.HANG:
            await asyncio.Event().wait()
        if answered := sabotage.gateways_answer(fault):
            return answered
        answer = await handle()
        if fault is None or not isinstance(answer, web.Response):
            return answer
        return await sabotage.spoil_answer(fault, request, answer, name, faults)

    async def _unavailable(self, down: Fault, request: web.Request) -> web.StreamResponse:
        """The answer to every call while the service is down."""
        request[FAULT] = down.value
        sabotage.raise_status(down, self.faults)
        if down is Fault.HANG:
            await asyncio.Event().wait()
        return sabotage.gateways_answer(down) or sabotage.reset(request)

    async def _endpoints(self, _: web.Request) -> web.StreamResponse:
        address = self.url.removeprefix("http://")
        return _json({"endpoints": [{"id": each, "address": address} for each in _SERVICES]})

    async def _tokens(self, request: web.Request) -> web.StreamResponse:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise StatusError(400, f"the body is not JSON: {error}") from None
        audience = f"{self.url}/iam/v1/tokens"
        return _json(self.tokens.exchange(body, self.behaviour, audience, self._now()))

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Metadata-Flavor") != "Google":
            raise StatusError(403, "Metadata-Flavor: Google is missing")
        if not self.behaviour.metadata:
            raise not_found("service account")
        token, expiry = self.tokens.issue(self.behaviour, self._now())
        life = int(expiry - self._now())
        return _json({"access_token": token, "expires_in": life, "token_type": "Bearer"})

    def _now(self) -> float:
        """The service's time in seconds since 1970, which decides whether tokens are valid."""
        return self._clock() + self.behaviour.clock_ahead

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        raise not_found(request.path)

    async def _add_headers(self, request: web.Request, answer: web.StreamResponse) -> None:
        # Added here, so that answers that are sent piece by piece have them too.
        if REQUEST_ID in request:
            answer.headers["x-request-id"] = request[REQUEST_ID]
        if self.behaviour.clock_ahead:
            answer.headers["Date"] = formatdate(self._now(), usegmt=True)

    def _error(self, error: StatusError) -> web.Response:
        headers = {"Retry-After": error.retry_after} if error.retry_after is not None else None
        return web.Response(
            status=error.http, body=error.body(), content_type=_JSON, headers=headers
        )


def _json(answer: object) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type=_JSON)
