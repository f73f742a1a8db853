"""The five list calls from their parameters to the bytes of a page."""

from __future__ import annotations

import gzip
import json
from codecs import BOM_UTF8
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .churn import churns
from .disorder import check_keys
from .faults import Fault, FaultCoin
from .oddities import respelled
from .ordering import Orders
from .pages import cut_page, drift, open_listing, with_churn, without_hidden
from .pagetokens import Cursor, PageTokens
from .parameters import find_scope, parse_query
from .sabotage import spoil_items, through_gateway
from .status import denied, not_found, unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .behaviour import Behaviour
    from .estate import Estate
    from .faults import Faults
    from .layout import Scope
    from .pages import Page
    from .parameters import Call, Query

ALL_CLOUDS = "*"
"""The id of the list of clouds, for faults that are given by id."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One list call, with its parameters read.

    Attributes:
        query: Its parameters.
        scope: The scope that it lists; None for all clouds.
        cursor: Where its page begins.
        ids: The ids of its scope and of all scopes above.
        key: Equal for each attempt at the same page, even if the token differs.

    """

    query: Query
    scope: Scope | None
    cursor: Cursor
    ids: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a page, whether it is gzip-encoded, and its fault of paging."""

    body: bytes
    zipped: bool
    oddity: Fault | None


class Listings:
    """Answers list calls over one estate, and keeps the state between calls."""

    def __init__(self, estate: Estate) -> None:
        self.coin = FaultCoin()
        self._estate = estate
        self._page_tokens = PageTokens(estate.shape.seed)
        self._orders = {kind: Orders(estate, collation=kind) for kind in ("bytes", "words")}
        self._begun: Counter[str] = Counter()
        self._scope_calls: Counter[str] = Counter()
        self._image_pages = 0
        self._cache: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._cached_bytes = 0

    def ask(
        self, call: Call, given: Iterable[tuple[str, str]], behaviour: Behaviour, now: float
    ) -> Asked:
        """Read a call's parameters; `now` is in seconds since 1970.

        Raises:
            StatusError: 400 for parameters that the API refuses, 404 for an unknown scope.

        """
        query = parse_query(
            call,
            given,
            descending=behaviour.descending,
            bound_to_size=behaviour.bound_to_size,
        )
        check_keys(query.sort_keys, behaviour)
        cursor = self._cursor(query, behaviour, now)
        scope = find_scope(query, self._estate)
        ids = (scope.id, *scope.parents) if scope else ()
        return Asked(query, scope, cursor, ids, f"{query.key}@{cursor.place}")

    def answer(
        self, asked: Asked, behaviour: Behaviour, faults: Faults, now: float, *, zipped: bool
    ) -> Answer:
        """The page that was asked for.

        Raises:
            StatusError: 401, 403 or 404, if the faults name its scope.

        """
        self._check_scope(asked, faults)
        query, cursor = asked.query, asked.cursor
        concerned = faults.concern(query.call.name, asked.ids)
        oddity = self.coin.paging(faults, asked.key) if concerned else None
        images = query.call.name == "images"
        churning = images and churns(faults)
        changing = churning or bool(faults.vanished)
        tick = self._image_pages
        self._image_pages += images
        at = (query.key, cursor, behaviour.order_by, behaviour.descending, behaviour.collation,
              behaviour.order_seed, behaviour.pretty, behaviour.byte_order_mark, faults.hidden,
              zipped, query.page_size, behaviour.largest_body,
              behaviour.ties, behaviour.misplaced)  # fmt: skip
        spoilt = bool(faults.spoilt or faults.repeated)
        changing = churning or spoilt or (images and behaviour.ties == "reshuffled")
        if at in self._cache and not oddity and not changing:
            self._cache.move_to_end(at)
            return Answer(self._cache[at], zipped, None)
        listing = open_listing(
            query,
            asked.scope,
            cursor,
            estate=self._estate,
            orders=self._orders[behaviour.collation],
            behaviour=behaviour,
            gone=lambda one: one in faults.hidden or self._is_gone(one, faults),
            call=tick,
        )
        if images:
            listing = without_hidden(listing, self._estate, faults.hidden)
        if churning:
            listing = with_churn(listing, self._estate, faults, tick)
        page = cut_page(listing, cursor, query.page_size, oddity, faults.turns)
        if churning:
            page = drift(page, query, listing, faults)
        if spoilt:
            page = replace(page, items=spoil_items(page.items, query.call.name, faults))
        body = through_gateway(self._encode(query, page, oddity, behaviour, now), behaviour)
        if zipped:
            body = gzip.compress(body, 1)
        if not oddity and not changing:
            self._keep(at, body, behaviour.page_cache_bytes)
        return Answer(body, zipped, oddity)

    def _cursor(self, query: Query, behaviour: Behaviour, now: float) -> Cursor:
        if query.page_token:
            life = behaviour.page_token_life
            return self._page_tokens.read(query.page_token, query.key, now=now, life=life)
        if query.sort_keys and behaviour.order_by == "honoured":
            return Cursor()
        self._begun[query.key] += 1
        return Cursor(begun=self._begun[query.key] - 1 if behaviour.reshuffle else 0)

    def _encode(
        self, query: Query, page: Page, oddity: Fault | None, behaviour: Behaviour, now: float
    ) -> bytes:
        fields = []
        quirks = self._estate.shape.quirks
        items = respelled(page.items) if quirks.snake_case else page.items
        if items:
            fields.append(b'"%b":[%b]' % (query.call.name.encode(), b",".join(items)))
        if quirks.new_fields and items:
            # Not on an empty page: a page without any known key is an error.
            fields.append(b'"newField":{"total":"12"}')
        if page.following is not None:
            # Tokens that do not expire have no time in them, so that pages can be cached.
            issued = 0 if behaviour.page_token_life is None else round(now * 1000)
            following = replace(page.following, issued=issued)
            token = self._page_tokens.make(following, query.key)
            if oddity is Fault.REPEATED_TOKEN and query.page_token:
                token = query.page_token
            snake_case = quirks.snake_case and page.following.place % 2 == 0
            name = b"next_page_token" if snake_case else b"nextPageToken"
            fields.append(b'"%b":"%b"' % (name, token.encode()))
        body = b"{" + b",".join(fields) + b"}"
        if behaviour.pretty:
            # Not by orjson, which refuses half of a surrogate pair.
            body = json.dumps(json.loads(body), indent=2).encode()
        return BOM_UTF8 + body if behaviour.byte_order_mark else body

    def _keep(self, at: tuple[object, ...], body: bytes, room: int) -> None:
        """Cache a page, up to the bound on bytes."""
        if len(body) > room:
            return
        self._cache[at] = body
        self._cached_bytes += len(body)
        while self._cached_bytes > room:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def _check_scope(self, asked: Asked, faults: Faults) -> None:
        """Refuse a scope that the faults deny or hide."""
        for scope_id in asked.ids or (ALL_CLOUDS,):
            self._scope_calls[scope_id] += 1
            if scope_id in faults.unauthorized:
                raise unauthenticated(f"the token is not good for {scope_id}")
            if scope_id in faults.denied:
                raise denied(scope_id)
            unfound = faults.unfound | faults.hidden
            if scope_id in unfound or self._is_gone(scope_id, faults):
                raise not_found(scope_id)

    def _is_gone(self, scope_id: str, faults: Faults) -> bool:
        return self._scope_calls[scope_id] > faults.vanished.get(scope_id, 1 << 62)
