"""Harbor's own list API: projects, their repositories, and all artifacts, tagged or not.

It tells the digest of every tag in bulk, and lists artifacts without a tag. What only an index
refers to is not among them: it is found through the index. Accessories, such as signatures, are
listed with the artifact that is their subject. Source: Harbor's API 2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from exporter.errors import PageError
from exporter.http.types import Call, Received
from exporter.sources.oci.calls import Calls, Query
from exporter.sources.oci.credentials.challenges import parse_challenges
from exporter.sources.oci.digests import is_digest
from exporter.sources.oci.paging import NamesPage, is_repository, next_query
from exporter.tables.times import time_of

PAGE_SIZE = 100
"""The most that Harbor gives; it answers 422 for more."""
_SERVICE = "harbor-registry"
_REALM = "/service/token"


@dataclass(frozen=True)
class Artifact:
    """A manifest of a repository, with its tags, as Harbor lists it.

    `pushed_at` is when it came.
    """

    digest: str
    media_type: str
    tags: tuple[str, ...]
    pushed_at: datetime | None


def is_harbor(challenges: Sequence[str]) -> bool:
    """Return whether a registry's challenge is Harbor's."""
    return any(
        challenge.parameters.get("service") == _SERVICE
        and challenge.parameters.get("realm", "").endswith(_REALM)
        for challenge in parse_challenges(challenges)
    )


def first_query(_size: int | None) -> Query:
    """Return the query of a list's first page."""
    return (("page", "1"), ("page_size", str(PAGE_SIZE)))


def projects_call(calls: Calls, query: Query) -> Call:
    """Return the call for a page of the projects."""
    return calls.harbor("/projects", query, f"projects of {calls.registry_id}")


def repositories_call(calls: Calls, project: str, query: Query) -> Call:
    """Return the call for a page of a project's repositories."""
    path = f"/projects/{quote(project, safe='')}/repositories"
    return calls.harbor(path, query, f"repositories of {calls.registry_id}/{project}")


def artifacts_call(calls: Calls, path: str, query: Query) -> Call:
    """Return the call for a page of a repository's artifacts."""
    project, _, name = path.partition("/")
    # A slash in the name is escaped twice: proxies undo it once.
    place = (
        f"/projects/{quote(project, safe='')}/repositories/{quote(quote(name, safe=''), safe='')}"
    )
    shown = (
        ("with_tag", "true"),
        ("with_accessory", "true"),
        ("with_label", "false"),
        ("with_scan_overview", "false"),
    )
    told = {name for name, _ in query}
    more = tuple(pair for pair in shown if pair[0] not in told)
    return calls.harbor(
        f"{place}/artifacts", (*query, *more), f"artifacts of {calls.registry_id}/{path}"
    )


def decode_names(received: Received, query: Query) -> NamesPage:
    """Return a page of the names of projects, or of repositories; raises `PageError`.

    `query` is the one that was asked.
    """
    names: dict[str, None] = {}
    junk: list[str] = []
    items = _items(received)
    for item in _objects(items):
        name = item.get("name")
        if isinstance(name, str) and is_repository(name):
            names[name] = None
        else:
            junk.append(f"{name!r}"[:60])
    return NamesPage(tuple(names), tuple(junk), _following(received, query, len(items)))


def decode_artifacts(received: Received, query: Query) -> NamesPage:
    """Return a page of artifacts, each in a form for `artifact_of`; raises `PageError`.

    An accessory comes after its subject, without tags: one with a tag is listed by itself too.
    `query` is the one that was asked.
    """
    names: list[str] = []
    junk: list[str] = []
    items = _items(received)
    for item in _objects(items):
        listed = [(item, item.get("push_time"))]
        listed += [(one, one.get("creation_time")) for one in _objects(item.get("accessories"))]
        for one, pushed in listed:
            digest = one.get("digest")
            if not (isinstance(digest, str) and is_digest(digest)):
                junk.append(f"{digest!r}"[:60])
                continue
            tags = [tag.get("name") for tag in _objects(one.get("tags"))]
            told = [
                digest,
                one.get("manifest_media_type") or "",
                sorted(tag for tag in tags if isinstance(tag, str)),
                pushed,
            ]
            names.append(orjson.dumps(told).decode())
    return NamesPage(tuple(names), tuple(junk), _following(received, query, len(items)))


def artifact_of(name: str) -> Artifact:
    """Return the artifact that `decode_artifacts` has found."""
    digest, media_type, tags, pushed = orjson.loads(name)
    moment = time_of(pushed) if isinstance(pushed, str) else None
    return Artifact(digest, str(media_type), tuple(tags), moment)


def _following(received: Received, query: Query, items: int) -> Query | None:
    """Return the query of the next page.

    After a full page without any Link, which a proxy may drop, it is that of the next number.
    """
    if "Link" in received.headers or items < PAGE_SIZE:
        return next_query(received.headers)
    return tuple(
        (name, str(int(value) + 1)) if name == "page" else (name, value) for name, value in query
    )


def _items(received: Received) -> list[object]:
    try:
        content = orjson.loads(received.body)
    except orjson.JSONDecodeError:
        raise PageError("it is not JSON") from None
    if content is None:
        return []
    if not isinstance(content, list):
        raise PageError("it is not a list")
    return content


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
