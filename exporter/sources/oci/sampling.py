"""A look at one repository: its tags, and a few manifests that no run has read.

What the cache knows is taken from there, so that the look costs few calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError, is_not_found, is_refused
from exporter.http.client import Client
from exporter.http.types import Answer, Call, PageT, Received
from exporter.sources.oci import harbor
from exporter.sources.oci.cache_view import CacheView
from exporter.sources.oci.calls import Calls, Query
from exporter.sources.oci.decode.manifest import Manifest, decode_manifest
from exporter.sources.oci.digests import digest_of, is_digest
from exporter.sources.oci.lists import PageSizes
from exporter.sources.oci.outlook import RepositorySample
from exporter.sources.oci.paging import NamesPage, decode_tags, first_query
from exporter.sources.oci.quota import Quota
from exporter.sources.oci.shapes import assumed, shape_of

MOST_PAGES = 3
"""Pages of one list of tags that are read."""


@dataclass
class Looking:
    """What the looks at one registry's repositories share.

    `most` manifests of each may be asked for. `seconds` are the times of calls, by kind.
    """

    calls: Calls
    client: Client
    view: CacheView
    quota: Quota
    with_configs: bool
    heads: bool
    is_harbor: bool
    immutable: tuple[str, ...]
    most: int
    sizes: PageSizes = field(default_factory=PageSizes)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    async def get(
        self, call: Call, decode: Callable[[Received], Awaitable[PageT]]
    ) -> Answer[PageT]:
        """Return an answer, and note its time and what it says of the quota."""
        answer = await self.client.get(call, decode)
        self.seconds.setdefault(call.kind, []).append(answer.seconds)
        self.quota.note(answer.headers)
        return answer


class LookTask:
    """Looks at one repository (`crawl.task.Task`); `ended` is told what was seen.

    One that no list has named may not be there: then `missing` is told its name.
    """

    has_prefetched = False
    priority = Priority(Rank.LISTING)

    def __init__(
        self,
        looking: Looking,
        path: str,
        entry: ListingStatus,
        ended: Callable[[RepositorySample], None],
        missing: Callable[[str], None] | None,
    ) -> None:
        self._missing = missing
        self._looking = looking
        self._path = path
        self._entry = entry
        self._ended = ended
        self._name = f"{looking.calls.registry_id}/{path}"
        self._sample = RepositorySample(self._name)
        self._unknown: list[str] = []
        self._read: set[str] = set()

    async def run_one(self) -> bool:
        """Look; see `crawl.task.Task`."""
        self._entry.begin()
        try:
            await self._list()
            await self._examine()
        except ApiError as error:
            self._entry.spent(error.calls)
            is_missing = is_not_found(error) and not self._sample.pages
            if is_missing and self._missing is not None:
                self._missing(self._name)
            if not is_missing or self._missing is not None:
                self._entry.fail(error)
                return False
            self._sample.pages = 1  # A repository without a tag.
        self._entry.items = self._sample.tags
        if self._sample.is_cut:
            self._entry.skip(f"a sample: the first {self._sample.tags:,} tags")
        else:
            self._entry.complete()
        self._ended(self._sample)
        return False

    async def _list(self) -> None:
        """Read the first pages of the list, and tell known tags from others."""
        query: Query | None = None
        while True:
            page = await self._page(query)
            self._sample.pages += 1
            for name in page.names:
                self._take(name)
            query = page.following
            if query is None or not page.names:
                return
            if self._sample.pages == MOST_PAGES:
                self._sample.is_cut = True
                return

    async def _page(self, query: Query | None) -> NamesPage:
        looking = self._looking
        while True:
            size = looking.sizes.size
            if looking.is_harbor:
                asked = query or harbor.first_query(size)
                call = harbor.artifacts_call(looking.calls, self._path, asked)
            else:
                asked = query or first_query(size)
                call = looking.calls.tags(self._path, asked)
            try:
                answer = await looking.get(call, partial(self._read_page, asked))
            except ApiError as error:
                if query is None and is_refused(error) and looking.sizes.refused(size):
                    continue
                raise
            self._entry.page(calls=answer.calls)
            return answer.page

    async def _read_page(self, asked: Query, received: Received) -> NamesPage:
        read = harbor.decode_artifacts if self._looking.is_harbor else decode_tags
        return read(received, asked)

    def _take(self, name: str) -> None:
        looking = self._looking
        if looking.is_harbor:
            digest = harbor.artifact_of(name).digest
            if looking.view.has(digest):
                self._know(digest, is_fixed=False)
            else:
                self._put_off(digest)
            return
        known = looking.view.tag(self._name, name)
        if known is None or not looking.view.has(known):
            self._put_off(name)
            return
        self._know(known, is_fixed=any(fnmatchcase(name, one) for one in looking.immutable))

    def _know(self, digest: str, *, is_fixed: bool) -> None:
        self._sample.tags += 1
        self._sample.fixed += is_fixed
        self._sample.known += not is_fixed
        self._add_known(digest, asks=not is_fixed)

    def _put_off(self, name: str) -> None:
        self._sample.tags += 1
        self._unknown.append(name)

    def _add_known(self, digest: str, *, asks: bool) -> None:
        body = self._looking.view.body(digest)
        if digest in self._read or body is None:
            return
        self._read.add(digest)
        view = self._looking.view
        shape = shape_of(view, digest, body, asks=asks)
        if shape is not None:
            shape = replace(shape, is_whole=view.is_whole(self._name, digest))
            self._sample.known_shapes.append(shape)

    async def _examine(self) -> None:
        """Read some manifests that no run has read; only their headers if a quota counts them."""
        for reference in spread(self._unknown, self._looking.most):
            try:
                await self._examine_one(reference)
            except ApiError as error:
                if not is_not_found(error):
                    raise

    async def _examine_one(self, reference: str) -> None:
        looking = self._looking
        head = looking.heads or looking.quota.left is not None
        call = looking.calls.manifest(self._path, reference, head=head)

        async def decode(received: Received) -> tuple[str, str]:
            stated = received.headers.get("Docker-Content-Digest", "")
            digest = digest_of(received.body, like=reference) if received.body else stated
            return digest, received.headers.get("Content-Type", "").partition(";")[0]

        answer = await looking.get(call, decode)
        digest, media_type = answer.page
        self._sample.examined += 1
        if digest in self._read or not is_digest(digest):
            return
        self._read.add(digest)
        body = answer.body or looking.view.body(digest)
        if not body:
            self._sample.shapes.append(assumed(media_type))
            return
        shape = shape_of(looking.view, digest, body, media_type)
        if shape is not None:
            self._sample.shapes.append(shape)
            await self._time_a_config(decode_manifest(digest, body, media_type))

    async def _time_a_config(self, manifest: Manifest) -> None:
        """Read one config of the registry, to see how long that takes."""
        looking, digest = self._looking, manifest.config_to_read
        if digest is None or not looking.with_configs or "blobs" in looking.seconds:
            return

        async def ignore(_: Received) -> None:
            return None

        await looking.get(looking.calls.blob(self._path, digest), ignore)


def spread(names: Sequence[str], most: int) -> Sequence[str]:
    """Return at most so many of the names, evenly spread."""
    if len(names) <= most:
        return names
    return [names[place * len(names) // most] for place in range(most)]
