"""A page of a run, as the engine and the staging know it: its key, and its stored form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, NewType

PageKey = NewType("PageKey", str)
"""Tells a page apart from all others of a run, and is the same in every attempt at that run."""


@dataclass(frozen=True)
class StoredPage:
    """A page that an earlier attempt stored.

    `summary` is the source's own record of the page. `sealed` is true if its rows are durably in a
    finished part; `body` is None if it was dropped then.
    """

    summary: bytes
    body: bytes | None
    sealed: bool


class Note(NamedTuple):
    """A decision of a source, so that a resumed run decides the same.

    `scope` names the listing, `item` the part of it that the decision is about, empty for all of
    it. The source chooses all three texts; together they identify a note.
    """

    scope: str
    item: str
    decision: str
