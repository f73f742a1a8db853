"""The place of one listing among its pages: which call comes next, and whether it would never end.

Page N+1 cannot be asked for before page N has come (`README.md`, List calls). So a cursor is
passive: its user sends `call`, decodes the page and gives the next token to `advance`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol

import structlog

from exporter.errors import AnswerError, FlawedPageError, PageError
from exporter.http.address import call_line
from exporter.http.types import Call, Paging
from exporter.sources.cloud.novelty import Novelty

PAGING = Paging(size="pageSize", position="pageToken")
"""The parameters by which every listing of this API is paged (`README.md`, List calls)."""

NOT_FOUND_WAITS = (0.25, 0.5, 1.0)
"""Seconds before each repetition of a call that the API itself answered with 404. A 404 alone does
not prove that the resource is gone (`doubts`)."""

TokenCheck = Callable[[str], None]
"""Raises `PageError` for a next page's token that the listing was given before, so that the page is
asked for again (`PageCursor.check`)."""

_log = structlog.get_logger(__name__)


class DecodedPage(Protocol):
    """A decoded page of any kind: the next page's token, and why it should be asked for again."""

    @property
    def next_token(self) -> str:
        """The next page's token, empty on the last page."""

    @property
    def doubt(self) -> str:
        """The reason to ask for the page again, empty for a sound one."""


def check_page(check: TokenCheck, page: DecodedPage) -> None:
    """Refuse a page by its next token, or because a value on it cannot be read.

    Raises `PageError`; for the latter `FlawedPageError`, with the page as it is.
    """
    check(page.next_token)
    if page.doubt:
        raise FlawedPageError(page.doubt, page)


class PageCursor:
    """Goes through one listing page by page.

    `call` is the call to send next, or None once the last page has come. The cursor remembers eight
    bytes of each page's token, so a listing of a million pages needs little memory.
    """

    def __init__(self, first: Call, *, page_size: int) -> None:
        first = replace(first, paging=PAGING)
        self._first = first.without_params("pageToken").with_params(pageSize=str(page_size))
        self.page_size = page_size
        self.shortened = False
        """Whether `call` has a token from longer pages than it asks for now."""
        self.call: Call | None = self._first
        self.pages = 0
        """Pages that have come so far, since the last restart."""
        self._seen: set[bytes] = set()
        self._novelty = Novelty()

    def check(self, next_token: str) -> None:
        """Refuse a page whose next token this listing was given before; raises `PageError`.

        If the page is asked for again, the API may give another token.
        """
        if next_token and _mark(next_token) in self._seen:
            raise PageError("the next page's token is one that this listing was given before")

    def following(self, next_token: str) -> Call | None:
        """Return the call for a token's page; None for a token that was given before."""
        if _mark(next_token) in self._seen:
            return None
        return self._first.with_params(pageToken=next_token)

    def advance(self, next_token: str, *, items: int, sketch: Sequence[str] = ()) -> None:
        """Count a page: its next token, empty at the end, and its number of items.

        `sketch` identifies the items (see `Novelty`). Raises `AnswerError` if the listing would
        never end: the token was given before, or too many pages were empty (some may be,
        `README.md`) or brought nothing new.
        """
        self.pages += 1
        self._novelty.add(sketch, items)
        self.shortened = False
        if not next_token:
            self.call = None
            return
        mark = _mark(next_token)
        if mark in self._seen:
            raise self._error(
                f"the API gave the same page token twice, after {self.pages} pages, so the listing "
                "would never end; run the export again"
            )
        self._seen.add(mark)
        if self._novelty.ended and self._novelty.empty_pages == self._novelty.stale_pages:
            raise self._error(
                f"the API gave {self._novelty.empty_pages} empty pages in a row and still promises "
                "more; run the export again"
            )
        if self._novelty.ended:
            raise self._error(
                f"the API gave {self._novelty.stale_pages} pages in a row, each with a new page "
                "token, that show nothing but what this listing has shown before, so it would "
                "never end; run the export again"
            )
        self.call = self._first.with_params(pageToken=next_token)

    def shorten(self, reason: str) -> bool:
        """Ask for half as many items from here on; return False if that is not possible.

        The next call keeps its token. By its reference the API accepts a token only with the exact
        parameters it came from (`README.md`). An API that enforces this answers 400, as for an
        expired token, and the listing begins again. Any other continues, so no page is asked for
        twice.
        """
        if self.page_size <= 1 or self.call is None:
            return False
        self.resize(self.page_size // 2)
        _log.warning(
            "page_size_halved", scope=self._first.scope, page_size=self.page_size, reason=reason
        )
        return True

    def resize(self, page_size: int) -> None:
        """Ask for so many items a page from here on."""
        self.page_size = page_size
        self._first = self._first.with_params(pageSize=str(page_size))
        if self.call is not None:
            self.shortened = "pageToken" in dict(self.call.params)
            self.call = self.call.with_params(pageSize=str(page_size))
        # With a token of longer pages, an API may repeat items.
        self._novelty = Novelty()

    def restart(self) -> None:
        """Begin again at the first page, for example because a page token expired."""
        self.call = self._first
        self.shortened = False
        self.pages = 0
        self._seen.clear()
        self._novelty = Novelty()

    def _error(self, message: str) -> AnswerError:
        # Every request of the listing was counted with its answer.
        return AnswerError(message, call=call_line(self._first), scope=self._first.scope, calls=0)


def _mark(token: str) -> bytes:
    return blake2b(token.encode(), digest_size=8).digest()
