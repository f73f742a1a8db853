"""Pages of a registry's lists: the next page's query, page sizes that it takes, and junk in them.

The cursor is the server's own, `last` or another one, so the query of its Link goes onto the path
that was asked. The path and the host in the Link are not used: some registries name wrong ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import orjson
from multidict import MultiMapping

from exporter.errors import PageError
from exporter.http.types import Received
from exporter.sources.oci.calls import Query
from exporter.sources.oci.decode.tags import is_tag

PAGE_SIZES: tuple[int | None, ...] = (1000, 100, None)
"""The page sizes to try, in order: a registry may refuse one; None asks for no size."""
_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s;,"]*'
_LINK = re.compile(rf'<([^>]*)>((?:\s*;\s*(?:[^\s;,="]+\s*(?:=\s*(?:{_VALUE}))?)?)*)')
"""A link and its parameters; commas and brackets may stand within quotes (RFC 8288, 3)."""
_PARAMETER = re.compile(rf'([^\s;,="]+)\s*=\s*({_VALUE})')
_REPOSITORY = re.compile(r"[^\s\x00-\x1f/?#][^\s\x00-\x1f?#]*")
_LONGEST_REPOSITORY = 255
_NO_PARTS = frozenset({"", ".", ".."})
"""What stands between no two slashes of a repository's name."""
_LONGEST_SHOWN = 140
"""The most of a name that is shown: more than any tag or digest has."""


@dataclass(frozen=True)
class NamesPage:
    """A page of names: `names` in the page's order, `junk` in a form that can be shown.

    `following` is the query of the next page; None on the last one.
    """

    names: tuple[str, ...]
    junk: tuple[str, ...]
    following: Query | None


def decode_tags(received: Received, _query: Query) -> NamesPage:
    """Return a page of tags; raises `PageError`. No tags may be an empty list, null or nothing."""
    return _decode(received, "tags", is_tag)


def decode_catalog(received: Received, _query: Query) -> NamesPage:
    """Return a page of the names of repositories; raises `PageError`."""
    return _decode(received, "repositories", is_repository)


def is_repository(name: str) -> bool:
    """Return whether a name can be that of a repository, and stand in a URL.

    A server or a proxy would take `..` in it for another path.
    """
    is_plain = _REPOSITORY.fullmatch(name) is not None and len(name) <= _LONGEST_REPOSITORY
    return is_plain and _NO_PARTS.isdisjoint(name.split("/"))


def next_query(headers: MultiMapping[str]) -> Query | None:
    """Return the query of the Link to the next page (RFC 8288), if there is one.

    Raises `PageError` for one that is no URL.
    """
    for link in headers.getall("Link", []):
        for found in _LINK.finditer(link):
            relations = [
                value.strip('"').lower().split()
                for name, value in _PARAMETER.findall(found[2])
                if name.lower() == "rel"
            ]
            if relations and "next" in relations[0]:
                return _query_of(found[1].strip())
    return None


def _query_of(target: str) -> Query | None:
    try:
        query = urlsplit(target).query
    except ValueError:
        raise PageError("its Link to the next page is not a URL") from None
    return tuple(parse_qsl(query, keep_blank_values=True)) or None


def first_query(size: int | None) -> Query:
    """Return the query of a list's first page."""
    return () if size is None else (("n", str(size)),)


def _decode(received: Received, name: str, accepts: Callable[[str], object]) -> NamesPage:
    try:
        content = orjson.loads(received.body)
    except orjson.JSONDecodeError:
        raise PageError("it is not JSON") from None
    items = content.get(name) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not (items is None or isinstance(items, list)):
        raise PageError(f"its {name} are not a list")
    names: dict[str, None] = {}
    junk: dict[str, None] = {}
    for item in items or ():
        if isinstance(item, str) and accepts(item):
            names[item] = None
        else:
            junk[_shown(item)] = None
    return NamesPage(tuple(names), tuple(junk), next_query(received.headers))


def _shown(item: object) -> str:
    text = item if isinstance(item, str) else orjson.dumps(item).decode()
    return text.encode("unicode_escape").decode()[:_LONGEST_SHOWN]
