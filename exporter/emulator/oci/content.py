"""What the distribution API answers with: pages of names, manifests, and blobs."""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.emulator.values import coin

from .behaviour import EMPTY, Quirk
from .estate import after, after_path
from .lists import Listed, Pager
from .manifests import EVERY_TYPE, Manifest, digest_of
from .replies import RegistryError, as_json
from .truth import JUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .behaviour import Behaviour
    from .estate import Estate, Repository

CATALOG = "_catalog"
_HUB_WINDOW = 21_600
"""Seconds in which Docker Hub counts pulls."""
_HEADS_REFUSED = 0.2
"""The share of the HEADs of a repository that are answered with 429 at first."""


class Content:
    """Answers calls that may be made; it counts pulls, and what it has answered once."""

    def __init__(self) -> None:
        self._pager = Pager()
        self._pulled = 0
        self._asked: Counter[str] = Counter()

    def catalog(
        self, estate: Estate, query: Mapping[str, str], behaviour: Behaviour
    ) -> web.Response:
        """A page of the repositories."""
        listed = Listed(
            key=CATALOG,
            path=f"{behaviour.prefix}/v2/{CATALOG}",
            field="repositories",
            names=estate.names,
            after=lambda last: after_path(estate.names, last),
            whole=False,
        )
        return self._pager.page(listed, query, behaviour, {})

    def tags(
        self, repository: Repository, query: Mapping[str, str], behaviour: Behaviour
    ) -> web.Response:
        """A page of a repository's tags.

        Raises:
            RegistryError: The page is refused, or 404 for no tags.

        """
        name, tags = repository.name, repository.tags
        if behaviour.has(Quirk.JUNK_TAGS, name):
            return as_json({"name": name, "tags": [*JUNK, *tags]})
        empty = None if tags else behaviour.one_of(EMPTY, name)
        if empty is Quirk.NULL_TAGS:
            return as_json({"name": name, "tags": None})
        if empty is Quirk.NAME_UNKNOWN:
            raise RegistryError(404, "repository name not known to registry")
        listed = Listed(
            key=name,
            path=f"{behaviour.prefix}/v2/{name}/tags/list",
            field="tags",
            names=tags,
            after=lambda last: after(tags, last),
            whole=True,
        )
        return self._pager.page(listed, query, behaviour, {"name": name})

    def manifest(
        self, repository: Repository, reference: str, request: web.Request, behaviour: Behaviour
    ) -> web.Response:
        """A manifest by tag or digest.

        Raises:
            RegistryError: 404, 405 or 429.

        """
        name, is_digest = repository.name, ":" in reference
        if request.method == "HEAD":
            self._refuse_head(name, reference, behaviour)
        found = repository.manifest(reference) if is_digest else repository.tagged(reference)
        if found is None:
            raise RegistryError(404, "manifest unknown", code="MANIFEST_UNKNOWN")
        if not _accepts(request.headers.getall("Accept", ["*/*"]), found.media_type):
            raise RegistryError(
                404,
                "manifest found, but accept header does not support it",
                code="MANIFEST_UNKNOWN",
            )
        headers = {"Docker-Content-Digest": found.digest, "Content-Type": found.media_type}
        if behaviour.has(Quirk.NO_DIGEST, name):
            del headers["Docker-Content-Digest"]
        elif not is_digest and behaviour.has(Quirk.WRONG_DIGEST, name):
            headers["Docker-Content-Digest"] = digest_of(b"another manifest")
        if behaviour.quota is not None:
            headers |= self._counted(request.method, behaviour.quota)
        body = found.body
        if is_digest and request.method == "GET" and self._is_other(reference, behaviour):
            body = _another(found)
        return web.Response(body=body, headers=headers)

    def blob(
        self,
        repository: Repository,
        digest: str,
        request: web.Request,
        behaviour: Behaviour,
        storage: str,
    ) -> web.Response:
        """A blob; with `storage`, the way to where it is.

        Raises:
            RegistryError: 404.

        """
        blob = repository.blob(digest)
        if blob is None:
            raise RegistryError(404, "blob unknown to registry", code="BLOB_UNKNOWN")
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(blob.size)})
        if storage:
            place = f"{storage}/{repository.name}/{digest}?signature=of-the-storage"
            return web.Response(status=307, headers={"Location": place})
        content = blob.content or b"\0" * blob.size
        if self._is_other(digest, behaviour):
            content = b'{"config":{"Labels":{"of":"another"}}}'
        return web.Response(body=content, headers=headers)

    def _refuse_head(self, name: str, reference: str, behaviour: Behaviour) -> None:
        if behaviour.has(Quirk.HEAD_405, name):
            raise RegistryError(405, "HEAD is not supported")
        if behaviour.has(Quirk.HEAD_429, name):
            key = f"HEAD {name} {reference}"
            self._asked[key] += 1
            if self._asked[key] == 1 and coin(behaviour.seed, key) < _HEADS_REFUSED:
                raise RegistryError(429, "slow down")

    def _counted(self, method: str, quota: int) -> dict[str, str]:
        """Docker Hub's headers; a HEAD is no pull."""
        if method == "GET":
            if self._pulled >= quota:
                until = str(int(time.time()) + _HUB_WINDOW)
                raise RegistryError(
                    429, "You have reached your pull rate limit.", headers={"X-Retry-After": until}
                )
            self._pulled += 1
        return {
            "ratelimit-limit": f"{quota};w={_HUB_WINDOW}",
            "ratelimit-remaining": f"{quota - self._pulled};w={_HUB_WINDOW}",
        }

    def _is_other(self, digest: str, behaviour: Behaviour) -> bool:
        """Whether the first answer with a digest's content is another's."""
        rate = behaviour.quirks.get(Quirk.WRONG_CONTENT.value, 0.0)
        if not rate or coin(behaviour.seed, f"content|{digest}") >= rate:
            return False
        self._asked[digest] += 1
        return self._asked[digest] == 1


@lru_cache(maxsize=64)
def _accepted(header: str) -> frozenset[str]:
    return frozenset(part.partition(";")[0].strip() for part in header.split(","))


def _accepts(headers: list[str], media_type: str) -> bool:
    accepted = _accepted(",".join(headers))
    return media_type in accepted or "*/*" in accepted or media_type not in EVERY_TYPE


def _another(found: Manifest) -> bytes:
    """The body of a manifest that has another digest."""
    return found.body[:-1] + b',"annotations":{"of":"another"}}'
