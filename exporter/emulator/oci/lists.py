"""Lists in pages: repositories and tags, with the forms that their pages and cursors have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .behaviour import LISTS, Quirk
from .replies import RegistryError, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web

    from .behaviour import Behaviour

_USUAL = 100
"""Names on a page if nothing is asked for, in a list that is always in pages."""
_SHORT = 7
_REFUSALS = {
    Quirk.N_400: (400, "PAGINATION_NUMBER_INVALID"),
    Quirk.N_405: (405, "UNSUPPORTED"),
    Quirk.N_413: (413, "TOO_MANY_TAGS_REQUESTED"),
    Quirk.N_REFUSED: (400, "UNSUPPORTED"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that is asked for.

    Attributes:
        key: The name of the list: of a repository, or `_catalog`.
        path: Its path, with the registry's prefix.
        field: The field of the JSON that its names are in.
        names: All names, in the list's order.
        after: Where a name stands in it, and one place on: where a page goes on.
        whole: Whether all names are sent if no number is asked for.

    """

    key: str
    path: str
    field: str
    names: Sequence[str]
    after: Callable[[str], int]
    whole: bool


class Pager:
    """Answers with pages; it remembers which cursors it has declared gone."""

    def __init__(self) -> None:
        self._gone: Counter[str] = Counter()

    def page(
        self,
        listed: Listed,
        query: Mapping[str, str],
        behaviour: Behaviour,
        extra: Mapping[str, object],
    ) -> web.Response:
        """The page that a query asks for; `extra` are more fields of its JSON.

        Raises:
            RegistryError: The page's size, or its cursor, is refused.

        """
        quirk = behaviour.one_of(LISTS, listed.key)
        cursor = "next_page" if quirk is Quirk.NEXT_PAGE else "last"
        start = self._start(listed, query, cursor, quirk)
        size = _size(listed, query, behaviour, quirk)
        if quirk is Quirk.NO_LINK:
            return as_json({**extra, listed.field: list(listed.names)})
        stop = len(listed.names) if size is None else min(start + size, len(listed.names))
        names = listed.names[start:stop]
        content = {**extra, listed.field: list(names)}
        if stop < len(listed.names) and names:
            link = _link(listed, query, quirk, cursor, names[-1])
        elif quirk is Quirk.REPEATED_LINK and cursor in query:
            link = _link(listed, query, quirk, cursor, query[cursor])
        else:
            return as_json(content)
        return as_json(content, {"Link": link})

    def _start(
        self, listed: Listed, query: Mapping[str, str], cursor: str, quirk: Quirk | None
    ) -> int:
        last = query.get(cursor)
        if last is None or quirk is Quirk.NO_LINK:
            return 0
        if quirk is Quirk.GONE_CURSOR:
            self._gone[listed.key] += 1
            if self._gone[listed.key] == 1:
                raise RegistryError(404, f"the name {last} is not known")
        if quirk is Quirk.NEXT_PAGE:
            return int(last.removeprefix("gAAAA"))
        return listed.after(last)


def _size(
    listed: Listed, query: Mapping[str, str], behaviour: Behaviour, quirk: Quirk | None
) -> int | None:
    """How many names a page has; None for all."""
    asked = query.get("n")
    if asked is None:
        size = None if listed.whole and quirk is None else _USUAL
    elif not asked.isdigit() or int(asked) < 1:
        raise RegistryError(
            400, f"invalid number of results requested: {asked}", code="UNSUPPORTED"
        )
    else:
        size = int(asked)
        most = _USUAL if quirk in _REFUSALS else behaviour.most
        if size > most or quirk is Quirk.N_REFUSED:
            status, code = _REFUSALS.get(quirk, _REFUSALS[Quirk.N_400]) if quirk else (400, "")
            raise RegistryError(
                status,
                "invalid number of results requested",
                code=code or "PAGINATION_NUMBER_INVALID",
            )
    if quirk in (Quirk.SHORT_PAGES, Quirk.NEXT_PAGE, Quirk.REPEATED_LINK, Quirk.GONE_CURSOR):
        return min(size or _SHORT, _SHORT)
    return size


def _link(
    listed: Listed, query: Mapping[str, str], quirk: Quirk | None, cursor: str, last: str
) -> str:
    """The Link to the page after a name, in the form of distribution, or another one."""
    if quirk is Quirk.NEXT_PAGE:
        last = f"gAAAA{listed.after(last)}"
    asked = {"n": query["n"]} if "n" in query else {}
    told = urlencode({cursor: last, **asked})
    if quirk is Quirk.LINK_ELSEWHERE:
        return f'<https://registry.example.com/another/v2/path?{told}>; rel="next"'
    return f'<{listed.path}?{told}>; rel="next"'
