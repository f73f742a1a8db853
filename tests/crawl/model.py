"""A registry in memory, listed by the real listing, scheduler, pages and decoder, without HTTP.

The server answers in whatever order its calls are let through. The store is a log of which any
beginning may be all that survives. So a property can be held against many worlds in a second.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Literal

import orjson
import pyarrow as pa
from multidict import CIMultiDict

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.decoders import Decoders
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.crawl.scheduler import Scheduler
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import StatusError
from exporter.http.types import Answer, Call, Counts, PageT, Received, Sent
from exporter.page import Note, StoredPage
from exporter.settings import Repositories, Scope
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.listing import RegistryListing
from exporter.sources.cloud.split.policy import SplitPolicy
from tests.policies import EARLY

REGISTRY = "crp1"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

Ordering = Literal["honoured", "ignored", "foreign", "created", "by name alone"]
Descending = Literal["honoured", "ignored", "unsorted", "refused"]
Alone = Literal["listed", "empty", "unknown", "lost on the way", "forbidden", "invalid"]
REFUSALS: Mapping[Alone, tuple[int, str]] = {
    "unknown": (404, "NOT_FOUND"),
    "lost on the way": (404, ""),
    "forbidden": (403, "PERMISSION_DENIED"),
    "invalid": (400, "INVALID_ARGUMENT"),
}


@dataclass(frozen=True)
class Image:
    """An image: its repository's path, and the second it was created in."""

    id: str
    path: str
    second: int

    @property
    def name(self) -> str:
        return f"{REGISTRY}/{self.path}"

    def to_json(self) -> dict[str, str]:
        at = BEGINNING + timedelta(seconds=self.second)
        return {
            "id": self.id,
            "name": self.name,
            "digest": self.digest,
            "createdAt": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        }

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.id.encode()).hexdigest()}"


@dataclass(frozen=True)
class World:
    """The images of a registry, the repositories that its list names, and how its server answers.

    `alone` is what a call for one of the `odd` repositories alone gets; `listed_later` is what the
    list names when it is read again, None for the same. By its parameters, a call takes `seconds`
    longer than its turns, and `refuses` says whether it is answered 400, given the calls so far.

    `ties` is what becomes of a digest behind other keys: without one, equals stand in an order of
    each listing, or, reshuffled, of each call. So many images are `misplaced` in what is sorted by
    name or time, the same ones at the same place or others in each direction or call.

    `policy` says when the registry is split.
    """

    images: tuple[Image, ...]
    listed: frozenset[str]
    page_size: int = 4
    slots: int = 4
    order_by: Ordering = "honoured"
    descending: Descending = "honoured"
    by_digest: Literal["honoured", "refused", "empty first", "one by one"] = "honoured"
    ties: Literal["by digest", "ignored", "refused", "reshuffled"] = "by digest"
    misplaced: int = 0
    misplaced_again: Literal["the same", "by direction", "by call"] = "the same"
    odd: frozenset[str] = frozenset()
    alone: Alone = "listed"
    listed_later: frozenset[str] | None = None
    list_is_whole: bool = True
    seconds: Callable[[Mapping[str, str]], float] = lambda _: 0.0
    refuses: Callable[[Mapping[str, str], int], bool] = lambda _params, _calls: False
    include: tuple[str, ...] = ("*",)
    policy: SplitPolicy = EARLY
    seed: int = 0

    @property
    def wanted(self) -> ScopeFilter:
        return ScopeFilter(Scope(repositories=Repositories(include=list(self.include))))

    def listing(self, params: Mapping[str, str], call: int = 0) -> list[Image]:
        """Return what a call lists, in the server's order."""
        images = [
            image for image in self.images if params.get("repositoryName") in (None, image.name)
        ]
        # Ties stand in an order of their own in each listing.
        again = call if self.ties == "reshuffled" else ""
        shuffled = random.Random(f"{self.seed}{sorted(params.items())}{again}")
        shuffled.shuffle(images)
        keys = [key.split() for key in params.get("orderBy", "").split(",") if key]
        downwards = any(key[1:] == ["desc"] for key in keys)
        if self.order_by == "created":
            return sorted(images, key=lambda image: image.second)
        if self.order_by == "ignored" or (downwards and self.descending == "unsorted"):
            return images
        reverse = downwards and self.descending == "honoured"
        if self.order_by == "by name alone":
            keys = [key for key in keys if key[0] != "created_at"]
        if self.ties != "by digest":
            keys = keys[:1] + [key for key in keys[1:] if key[0] != "digest"]
        for key, *_ in reversed(keys):
            images.sort(key=self._key(key), reverse=reverse)
        if keys and keys[0][0] != "digest":
            self._misplace(images, reverse, call)
        return images

    def _misplace(self, images: list[Image], reverse: bool, call: int) -> None:
        about = {"the same": "", "by direction": reverse, "by call": call}[self.misplaced_again]
        chance = random.Random(f"{self.seed}{about}")
        ids = sorted(image.id for image in images)
        if reverse and self.misplaced_again == "the same":
            images.reverse()
        for _ in range(self.misplaced if ids else 0):
            chosen = chance.choice(ids)
            image = images.pop(next(at for at, one in enumerate(images) if one.id == chosen))
            images.insert(chance.randrange(len(ids)), image)
        if reverse and self.misplaced_again == "the same":
            images.reverse()

    def _key(self, key: str) -> Callable[[Image], Any]:
        if key == "created_at":
            return lambda image: image.second
        if key == "digest":
            return lambda image: image.digest
        if self.order_by == "foreign":
            # As a language's collation has it: punctuation counts last.
            return lambda image: ("".join(filter(str.isalnum, image.path)), image.path)
        return lambda image: image.path


class Server:
    """Answers list calls as `Client.get` does, each after some turns of the event loop."""

    counts = Counts()

    def __init__(self, world: World, chance: random.Random) -> None:
        self.calls: Counter[str] = Counter()
        self._world = world
        self._chance = chance

    def spare(self, _: str) -> bool:
        return True

    async def get(
        self,
        call: Call,
        decode: Callable[[Received], Awaitable[PageT]],
        *,
        weight: float = 0.0,
        sent: Sent | None = None,
    ) -> Answer[PageT]:
        for _ in range(self._chance.randrange(8)):
            await asyncio.sleep(0)
        params = dict(call.params)
        self.calls["images"] += 1
        if sent is not None:
            sent.calls = 1
        if seconds := self._world.seconds(params):
            await asyncio.sleep(seconds)
        self._refuse(call.scope, params)
        token = params.pop("pageToken", "")
        start = int(token or "0")
        size = int(params.pop("pageSize"))
        if params.get("orderBy") == "digest" and self._world.by_digest == "one by one":
            size = 1
        if params.get("orderBy") == "digest" and self._world.by_digest == "empty first":
            size *= bool(token)
        listing = (
            [] if self._is_empty(params) else self._world.listing(params, self.calls["images"])
        )
        page: dict[str, Any] = {}
        if images := [image.to_json() for image in listing[start : start + size]]:
            page["images"] = images
        if start + size < len(listing):
            page["nextPageToken"] = str(start + size)
        body = orjson.dumps(page)
        return Answer(
            await decode(Received(body, CIMultiDict())), body, 1, None, len(body), 1.0, {}
        )

    def _is_odd(self, params: Mapping[str, str]) -> bool:
        return params.get("repositoryName", "").partition("/")[2] in self._world.odd

    def _is_empty(self, params: Mapping[str, str]) -> bool:
        return self._world.alone == "empty" and self._is_odd(params)

    def _refuse(self, scope: str, params: Mapping[str, str]) -> None:
        refusal: tuple[int, str] | None = None
        order = params.get("orderBy", "")
        if "desc" in order and self._world.descending == "refused":
            refusal = REFUSALS["invalid"]
        if order == "digest" and self._world.by_digest == "refused":
            refusal = REFUSALS["invalid"]
        if self._world.ties == "refused" and ",digest" in order.replace(" desc", ""):
            refusal = REFUSALS["invalid"]
        if self._is_odd(params):
            refusal = REFUSALS.get(self._world.alone, refusal)
        if self._world.refuses(params, self.calls["images"]):
            refusal = REFUSALS["invalid"]
        if refusal is not None:
            status, code = refusal
            raise StatusError("no", call="GET", scope=scope, http_status=status, code=code)


@dataclass(frozen=True)
class Page:
    """A page that was kept; `sealed` if its rows are in a finished part."""

    key: str
    summary: bytes
    body: bytes | None
    ids: tuple[str, ...]
    sealed: bool = False


Entered = Page | Note
"""What stands in the log: a page, or a note."""


@dataclass
class Memory:
    """A store: a log of pages and notes in the order they were handed over."""

    before: Sequence[Entered] = ()
    cancel_after: int | None = None
    log: list[Entered] = field(default_factory=list)
    run: asyncio.Task[None] | None = None

    @property
    def kept_before(self) -> int:
        return len(self.before)

    def stored(self, key: str) -> StoredPage | None:
        pages = [one for one in self.before if isinstance(one, Page) and one.key == key]
        return StoredPage(pages[-1].summary, pages[-1].body, pages[-1].sealed) if pages else None

    async def keep(
        self,
        key: str,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        written()
        ids = tuple(tables["images"]["image_id"].to_pylist())
        self.log.append(Page(key, summary, body, ids))
        if self.run is not None and len(self.log) == self.cancel_after:
            self.run.cancel()
        await asyncio.sleep(0)

    def add_note(self, note: Note) -> None:
        self.log.append(note)

    def notes(self, scope: str) -> frozenset[Note]:
        return frozenset(one for one in self.before if isinstance(one, Note) and one.scope == scope)

    def staged(self) -> Counter[str]:
        """Return how often each image would be in finished parts if the run ended well now."""
        pages = [one for one in self.before if isinstance(one, Page) and one.sealed]
        pages += [one for one in self.log if isinstance(one, Page)]
        return Counter(id_ for page in pages for id_ in page.ids)

    def survives(self, chance: random.Random, lost: int) -> list[Entered]:
        """Return what is left without the last so many entries; some pages were sealed before."""
        whole = [*self.before, *self.log]
        left = whole[: len(whole) - lost] if len(self.log) >= lost else list(self.before)
        latest = {one.key: number for number, one in enumerate(left) if isinstance(one, Page)}
        sealed = chance.randrange(len(left) + 1)
        return [
            one
            if not isinstance(one, Page)
            else Page(one.key, one.summary, None, one.ids, sealed=True)
            if one.sealed or number < sealed
            else one
            for number, one in enumerate(left)
            if not isinstance(one, Page) or latest[one.key] == number
        ]


class Listed:
    """The task that lists the registry's repositories."""

    priority = Priority(Rank.LISTING, 2.0)
    has_prefetched = False

    def __init__(self, told: Callable[[], None], chance: random.Random) -> None:
        self._told = told
        self._turns = chance.randrange(20)

    async def run_one(self) -> bool:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        self._told()
        return False


@dataclass(frozen=True)
class Walked:
    """What came of a walk; `entry` has no status if it was cancelled."""

    entry: ListingStatus
    memory: Memory
    calls: int


async def walk(world: World, memory: Memory, chance: random.Random) -> Walked:
    """Walk the registry to its end, or until the memory cancels it."""
    server = Server(world, chance)
    entry = ListingStatus("images", REGISTRY, known=True)
    with Decoders(1) as decoders:
        pages = Pages(server, PagePipeline(server, memory, Progress(), decoders))
        walks: list[RegistryListing] = []

        def idle_task() -> Task | None:
            return (
                walks[0].splitting.idle_task(decisions=chance.random() < 0.9)
                if chance.random() < 0.8
                else None
            )

        scheduler = Scheduler(world.slots, idle_task)
        names = [f"{REGISTRY}/{path}" for path in world.listed]
        later = world.listed if world.listed_later is None else world.listed_later
        names_later = [f"{REGISTRY}/{path}" for path in later]
        context = Context(
            pages=pages,
            store=memory,
            wanted=world.wanted,
            page_size=world.page_size,
            sample_size=1000,
            slots=99,
            split=True,
            queue=scheduler.add,
            refresh=lambda one: scheduler.add(
                Listed(partial(one.repositories_refreshed, names_later, whole=True), chance)
            ),
            may_prefetch=lambda _: chance.random() < 0.7,
            policy=world.policy,
        )
        walks.append(RegistryListing(REGISTRY, Parents(), entry, context))
        listed = partial(walks[0].repositories_listed, names, whole=world.list_is_whole)
        scheduler.add(Listed(listed, chance))
        walks[0].start()
        memory.run = asyncio.create_task(scheduler.run())
        await asyncio.gather(memory.run, return_exceptions=True)
        if not memory.run.cancelled():
            memory.run.result()
    return Walked(entry, memory, server.calls["images"])
