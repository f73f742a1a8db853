"""A caller of the emulator that does as little as possible."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from exporter.emulator import STATIC_TOKEN, Behaviour, Emulator, Estate, Faults, Shape

PATHS = {
    "clouds": "/resource-manager/v1/clouds",
    "folders": "/resource-manager/v1/folders",
    "registries": "/container-registry/v1/registries",
    "repositories": "/container-registry/v1/repositories",
    "images": "/container-registry/v1/images",
}
SMALL = Shape(clouds=2, folders=4, registries=5, repositories=20, images=400, layers=4)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Caller:
    """Calls one emulator; `emulator` and `estate` are what it calls."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.estate = emulator.estate
        self._session = session

    async def get(self, table: str, /, **given: object) -> Reply:
        """One list call with a good token."""
        return await self.call(PATHS[table], given)

    async def call(
        self,
        path: str,
        given: Mapping[str, object] | None = None,
        *,
        token: str | None = STATIC_TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A GET of any path; the body comes as it was sent, but for gzip."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        params = {name: str(value) for name, value in (given or {}).items()}
        async with self._session.get(path, params=params, headers=sent) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def post(self, path: str, body: object) -> Reply:
        async with self._session.post(path, data=orjson.dumps(body)) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def pages(self, table: str, /, **given: object) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of one listing; fails on any answer but 200."""
        token: str | None = ""
        while token is not None:
            extra = {"pageToken": token} if token else {}
            reply = await self.get(table, **given, **extra)
            assert reply.status == 200, reply
            page = camel_case(reply.json)
            token = page.get("nextPageToken")
            yield [camel_case(item) for item in page.get(table, [])]

    async def list(self, table: str, /, **given: object) -> list[dict[str, Any]]:
        """All items of one listing."""
        return [item async for page in self.pages(table, **given) for item in page]


def camel_case(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An object's fields as the API spells them, whichever way they came."""
    return {
        re.sub("_([a-z])", lambda letter: letter[1].upper(), name): value
        for name, value in fields.items()
    }


@asynccontextmanager
async def emulate(
    shape: Shape = SMALL,
    behaviour: Behaviour | None = None,
    faults: Faults | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Caller]:
    """Serve an estate on a clock that stands still, and call it."""
    async with (
        Emulator(Estate(shape), behaviour, faults, clock=clock or Clock()) as emulator,
        aiohttp.ClientSession(emulator.url) as session,
    ):
        yield Caller(emulator, session)


def largest_registry(estate: Estate) -> str:
    """The id of the registry with most images."""
    ids = [registry["id"] for registry in estate.registries()]
    return str(max(ids, key=lambda registry_id: len(estate.image_numbers(registry_id))))


def ids(items: list[dict[str, Any]]) -> list[str]:
    """The ids of some items, in their order."""
    return [item["id"] for item in items]


def always(kind: str, **more: object) -> Faults:
    """One kind of fault, at the first attempt of every call."""
    return Faults(rates={kind: 1.0}, in_a_row=1, **more)  # type: ignore[arg-type]


async def page(caller: Caller, **given: object) -> Reply:
    """The first page of the largest registry's images by name, or the page of a token."""
    registry = largest_registry(caller.estate)
    return await caller.get("images", registryId=registry, orderBy="name", pageSize=20, **given)
