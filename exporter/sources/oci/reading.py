"""Manifests and configs of one registry: what a tag names, and the content of a digest.

Content is read from the cache where it is there, for it never changes under its digest. That the
registry still has it is another question: only a call of this run answers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

import orjson

from exporter.crawl import not_found
from exporter.crawl.pipeline import Cost, PagePipeline
from exporter.errors import AnswerError, ApiError, PageError, StatusError, is_denied, is_not_found
from exporter.http.client import Client
from exporter.http.types import Answer, Call, PageT, Received, Sent
from exporter.sources.oci.cache import Cache
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.digests import digest_of, is_digest
from exporter.sources.oci.quota import Quota

NOT_FOUND_WAITS = (0.2,)
"""Seconds before what is not found is asked for again: a replica may be behind."""
NO_COST = Cost(0, 0, 0, pages=0)


@dataclass(frozen=True)
class Found:
    """The manifest that a tag or a digest names.

    `is_proven` says whether a call of this run found it. `claimed` is the digest that the registry
    stated, if the body has another one.
    """

    digest: str
    media_type: str
    is_proven: bool = True
    claimed: str = ""


@dataclass
class Spent:
    """What the calls for one thing have cost so far."""

    cost: Cost = field(default_factory=lambda: NO_COST)

    def add(self, cost: Cost) -> None:
        """Add what an answer has cost."""
        self.cost = self.cost + cost

    def failed(self, error: ApiError) -> None:
        """Add the calls that a failure took."""
        self.missed(error.calls)

    def missed(self, calls: int, wire_bytes: int = 0) -> None:
        """Add the calls for what did not come."""
        self.cost = self.cost + Cost(calls, wire_bytes, 0, pages=0, misses=min(calls, 1))


class Reader:
    """Reads from one registry, through a cache.

    `immutable` are the patterns of tags that never move. With `heads`, the registry is asked for
    the digest of every tag before the manifest, because only that costs nothing there.
    """

    def __init__(
        self,
        calls: Calls,
        client: Client,
        pipeline: PagePipeline,
        cache: Cache,
        *,
        immutable: tuple[str, ...],
        heads: bool,
    ) -> None:
        self._calls = calls
        self._client = client
        self._pipeline = pipeline
        self._cache = cache
        self._immutable = immutable
        self._heads = heads
        self._can_head = True
        """Some servers answer a HEAD with an error: it is not sent for every manifest."""
        self._quota = Quota()
        self.other_content: dict[str, str] = {}
        """By a digest that was asked for, that of the content that came instead, at least once."""

    async def tag(self, path: str, tag: str, spent: Spent, weight: float) -> Found | None:
        """Return what a tag names; None if it is gone. Raises `ApiError`.

        A tag that an earlier run has read is asked for its digest alone.
        """
        name = f"{self._calls.registry_id}/{path}"
        known = self._cache.tag(name, tag)
        is_known = known is not None and self._cache.has(known)
        if known is not None and is_known and self._never_moves(tag):
            return Found(known, "", is_proven=False)
        if (is_known and self._can_head) or self._heads:
            found = await self._head(path, tag, spent, weight)
            if found is not None and self._cache.has(found.digest):
                if found.digest != known:
                    self._cache.put_tag(name, tag, found.digest)
                return found
        found = await self._get(path, tag, spent, weight)
        if found is not None:
            self._cache.put_tag(name, tag, found.digest)
        return found

    async def digest(self, path: str, digest: str, spent: Spent, weight: float) -> Found | None:
        """Prove that a manifest is there, by its digest; None if it is not. Raises `ApiError`."""
        if self._cache.has(digest) and self._can_head:
            found = await self._head(path, digest, spent, weight)
            if found is not None:
                return Found(digest, found.media_type)
        return await self._get(path, digest, spent, weight)

    async def body(self, path: str, digest: str, spent: Spent, weight: float) -> bytes | None:
        """Return the manifest of a digest; None if it is not there. Raises `ApiError`."""
        body = self._cache.get(digest)
        if body is not None:
            return body
        call = self._calls.manifest(path, digest)
        answer = await self._asked(call, partial(self._found, digest), spent, weight)
        if answer is None:
            return None
        self._keep(answer)
        return answer.body

    async def config(self, path: str, digest: str, spent: Spent, weight: float) -> bytes | None:
        """Return a config blob; None if it is not there. Raises `ApiError`."""
        body = self._cache.get(digest)
        if body is not None:
            return body
        call = self._calls.blob(path, digest)

        async def decode(received: Received) -> bytes:
            if digest_of(received.body, like=digest) != digest:
                raise PageError("its content has another digest")
            return received.body

        answer = await self._asked(call, decode, spent, weight)
        if answer is None:
            return None
        self._cache.put(digest, answer.page)
        return answer.page

    async def size(self, path: str, digest: str, spent: Spent, weight: float) -> int | None:
        """Return the size of a blob, by its headers; None if they do not tell it.

        None too for a blob that is not there. Raises `ApiError`.
        """

        async def decode(received: Received) -> int | None:
            if _media_type(received) == "text/html":
                raise PageError("it is a web page, as gateways send it")
            length = received.headers.get("Content-Length", "")
            return int(length) if length.isdigit() else None

        call = self._calls.blob(path, digest, head=True)
        answer = await self._asked(call, decode, spent, weight)
        return None if answer is None else answer.page

    def is_whole(self, path: str, index: str) -> bool:
        """Return whether an earlier run found all that an index refers to, in this repository."""
        return self._cache.is_whole(f"{self._calls.registry_id}/{path}", index)

    def note_whole(self, path: str, index: str, *, whole: bool) -> None:
        """Note for later runs whether all that an index refers to is there."""
        if whole != self.is_whole(path, index):
            self._cache.put_whole(f"{self._calls.registry_id}/{path}", index, whole=whole)

    def _never_moves(self, tag: str) -> bool:
        return any(fnmatchcase(tag, pattern) for pattern in self._immutable)

    async def _head(self, path: str, reference: str, spent: Spent, weight: float) -> Found | None:
        """Return what the headers say; None where they do not say it, or it is not found."""
        call = self._calls.manifest(path, reference, head=True)

        async def decode(received: Received) -> Found | None:
            digest = received.headers.get("Docker-Content-Digest", "")
            media_type = _media_type(received)
            return Found(digest, media_type) if is_digest(digest) else None

        try:
            answer = await self._asked(call, decode, spent, weight)
        except ApiError as error:
            if is_denied(error) or not isinstance(error, StatusError | AnswerError):
                raise
            spent.failed(error)
            self._can_head = False
            return None
        found = None if answer is None else answer.page
        if found is not None and is_digest(reference) and found.digest != reference:
            return None
        return found

    async def _get(self, path: str, reference: str, spent: Spent, weight: float) -> Found | None:
        """Return what a GET finds, and keep its body; None where there is nothing."""
        call = self._calls.manifest(path, reference)
        answer = await self._asked(call, partial(self._found, reference), spent, weight)
        if answer is None:
            return None
        self._keep(answer)
        return answer.page

    def _keep(self, answer: Answer[Found]) -> None:
        """Keep a manifest, unless its digest is that of another form of it."""
        if digest_of(answer.body, like=answer.page.digest) == answer.page.digest:
            self._cache.put(answer.page.digest, answer.body)

    async def _asked(
        self,
        call: Call,
        decode: Callable[[Received], Awaitable[PageT]],
        spent: Spent,
        weight: float,
    ) -> Answer[PageT] | None:
        """Return an answer; None if what was asked for is not there. Raises `ApiError`."""
        sent = Sent()
        is_pull = call.kind == "manifests" and call.method == "GET"
        # A GET follows a HEAD that finds nothing.
        waits = NOT_FOUND_WAITS if call.method == "GET" else ()
        if is_pull:
            self._quota.take(call)
        try:
            answer = await not_found.get(
                self._client, call, decode, waits=waits, weight=weight, sent=sent
            )
        except ApiError as error:
            if is_pull and isinstance(error, StatusError) and error.http_status == 429:
                self._quota.exhausted()
            if not is_not_found(error):
                raise
            spent.missed(sent.calls, sent.wire_bytes)
            return None
        spent.add(self._pipeline.cost(answer))
        self._quota.note(answer.headers)
        return answer

    async def _found(self, reference: str, received: Received) -> Found:
        """Return what the body of a manifest is; raises `PageError` for one that is another's."""
        if not received.body.lstrip(b" \t\r\n").startswith(b"{"):
            raise PageError("it is not a JSON object")
        stated = received.headers.get("Docker-Content-Digest", "")
        media_type = _media_type(received)
        like = reference if is_digest(reference) else stated
        digest = digest_of(received.body, like=like)
        if digest != like and is_digest(like) and _is_signed(received.body):
            return Found(like, media_type)  # The digest is that of the body without its signatures.
        if is_digest(reference) and digest != reference:
            self.other_content[reference] = digest
            raise PageError(f"its content has the digest {digest}")
        claimed = stated if is_digest(stated) and stated != digest else ""
        return Found(digest, media_type, claimed=claimed)


def _media_type(received: Received) -> str:
    return received.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _is_signed(body: bytes) -> bool:
    """Return whether a body is a schema 1 manifest with signatures in it."""
    if b'"signatures"' not in body:
        return False
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    is_old = isinstance(content, dict) and content.get("schemaVersion") == 1
    return is_old and isinstance(content.get("signatures"), list)
