"""A source that is not the cloud: numbered pages, other JSON, a key of its own, other errors.

Its API has shelves, and on each a list of images. Once the first page of a shelf says how many
there are, free slots take the others from the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from pydantic import SecretStr

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.page_store import key_of
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import ApiError, CredentialsError
from exporter.http.auth import Authenticator, TokenHeader
from exporter.http.client import Client
from exporter.http.outage import Outages
from exporter.http.status import ErrorAnswer, ErrorText
from exporter.http.types import Call
from exporter.settings import Limits
from exporter.sources.base import Crawl, SourceResult
from exporter.tables.columns import Table
from exporter.tables.listed import IMAGES, LAYERS, REGISTRIES, REPOSITORIES

Json = dict[str, Any]
CODES = {"no-entry": "PERMISSION_DENIED", "no-such-key": "UNAUTHENTICATED"}


def read_error(answer: ErrorAnswer) -> ErrorText:
    """Read `{"oops": {"kind": "no-entry", "text": "…"}}`."""
    try:
        oops = orjson.loads(answer.body)["oops"]
        return ErrorText(CODES.get(oops["kind"], "UNKNOWN"), oops["text"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ErrorText("", "")


class ShelfApi:
    """Where the API is, and the one key to it."""

    source_name = "the librarian"

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, SecretStr(key)

    def authenticator(self, outages: Outages) -> Authenticator:
        return self

    async def base(self, service: str) -> str:
        return self._url

    async def get(self, scope: str | None = None) -> SecretStr:
        return self._key

    async def renew(
        self, refused: SecretStr, scope: str | None = None, challenges: Sequence[str] = ()
    ) -> SecretStr:
        raise CredentialsError(f"the key from {self.source_name} is not accepted")

    async def close(self) -> None:
        """Nothing is under way."""


class FakeSource:
    """Lists all shelves and what is on them."""

    kind = "fake"

    def __init__(self, url: str, *, key: str = "open-sesame", slots: int = 4) -> None:
        self._url, self._key, self._limits = url, key, Limits(concurrency=slots, attempts=3)
        self._shelves: list[Shelf] = []
        self._tables: dict[str, list[Json]] = {"registries": [], "repositories": []}

    def identity(self) -> Mapping[str, object]:
        return {"url": self._url}

    def scope(self) -> Mapping[str, object]:
        return {}

    def open_client(self) -> Client:
        return Client(
            lambda _transport, _sleep: ShelfApi(self._url, self._key),
            self._limits,
            read_error=read_error,
            token_header=TokenHeader("X-Library-Key"),
        )

    def start(self, crawl: Crawl) -> None:
        self.crawl = crawl
        crawl.scheduler.add(PageTask(self, "/shelves", crawl.coverage.open("registries", "*")))

    def idle_task(self) -> Task | None:
        longest = max(self._shelves, key=lambda shelf: len(shelf.left), default=None)
        return longest.next_task(-1) if longest and longest.left else None

    def result(self) -> SourceResult:
        tables = {"registries": REGISTRIES, "repositories": REPOSITORIES}
        return SourceResult(
            {name: rows_of(table, self._tables[name]) for name, table in tables.items()}
        )

    def take_shelves(self, page: Json) -> None:
        for shelf in page["shelves"]:
            self._tables["registries"].append({"registry_id": shelf["name"]})
            for box in shelf["boxes"]:
                row = {"repository_name": f"{shelf['name']}/{box}", "registry_id": shelf["name"]}
                self._tables["repositories"].append(row)
            coverage = self.crawl.coverage
            coverage.open("repositories", shelf["name"]).complete()
            self._shelves.append(Shelf(self, coverage.open("images", shelf["name"])))


class Shelf:
    """The pages of one shelf that nobody has asked for yet; `left` are their numbers."""

    def __init__(self, source: FakeSource, status: ListingStatus) -> None:
        self.left: list[int] = []
        self.open = 1
        self._source, self._status = source, status
        source.crawl.scheduler.add(self._task(1))

    def _task(self, number: int) -> PageTask:
        path = f"/shelves/{self._status.parent_id}/images"
        return PageTask(self._source, path, self._status, number, self)

    def next_task(self, place: int) -> Task:
        self.open += 1
        return self._task(self.left.pop(place))

    def ended(self, page: Json, number: int) -> None:
        if number == 1:
            self.left = list(range(2, page["of"] + 1))
        self.open -= 1
        if self.left:
            self._source.crawl.scheduler.add(self.next_task(0))
        elif not self.open:
            self._status.complete()


class PageTask:
    """Gets one page: of the shelves, or of a shelf's images."""

    has_prefetched = False

    def __init__(
        self,
        source: FakeSource,
        path: str,
        status: ListingStatus,
        number: int = 1,
        shelf: Shelf | None = None,
    ) -> None:
        self.priority = Priority(Rank.LISTING if shelf else Rank.DISCOVERY)
        self._source, self._status, self._number, self._shelf = source, status, number, shelf
        self._call = Call("library", path, (("page", str(number)),), f"page {number} of {path}")

    async def run_one(self) -> bool:
        self._status.begin()
        try:
            page = await self._page()
        except ApiError as error:
            self._status.spent(error.calls)
            self._status.fail(error)
            return False
        if self._shelf is not None:
            self._shelf.ended(page, self._number)
            return False
        self._source.take_shelves(page)
        self._number += 1
        self._call = self._call.with_params(page=str(self._number))
        more: bool = self._number <= page["of"]
        if not more:
            self._status.complete()
        return more

    async def _page(self) -> Json:
        """Get the page, from an earlier attempt or the API, and have its rows written."""
        page, calls = await self._source.crawl.pipeline.kept(
            self._call,
            key_of(self._call),
            decode=orjson.loads,
            check=lambda _: None,
            rows=self._rows,
        )
        self._status.page(calls=calls, items=len(page.get("images", page.get("shelves"))))
        return dict(page)

    def _rows(self, page: Json) -> dict[str, pa.Table]:
        shelf, images, layers = self._status.parent_id, [], []
        for image in page.get("images", ()):
            of = {"registry_id": shelf, "repository_name": f"{shelf}/{image['box']}"}
            id_ = f"{of['repository_name']}@{image['sha']}"
            size, tags = sum(image["parts"].values()), image["labels"]
            counts = {"layer_count": len(image["parts"]), "tag_count": len(tags)}
            content = {"digest": image["sha"], "compressed_size": size, "tags": tags}
            images.append({**of, **counts, **content, "image_id": id_})
            for place, (sha, bytes_) in enumerate(image["parts"].items()):
                blob = {"blob_id": sha, "digest": sha, "size": bytes_, "urls": []}
                layers.append({**of, **blob, "image_id": id_, "position": place})
        self._source.crawl.pipeline.count_rows(images=len(images), layers=len(layers))
        return {"images": rows_of(IMAGES, images), "layers": rows_of(LAYERS, layers)}


def rows_of(table: Table, rows: list[Json]) -> pa.Table:
    """Return rows of a table; what they do not have is null."""
    return pa.Table.from_pylist(rows, schema=table.schema)
