"""A page of a run, as the engine and the staging folder both know it: its key, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, NewType

PageKey = NewType("PageKey", str)
"""Tells a page apart from all others of a run, and is the same in every attempt at that run."""


@dataclass(frozen=True)
class StoredPage:
    """A page that an earlier attempt stored.

    `summary` is what the source wrote down about the page. `sealed` says whether its rows are
    durably in a finished part; `body` is None where it was let go on sealing.
    """

    summary: bytes
    body: bytes | None
    sealed: bool


class Note(NamedTuple):
    """What a source has decided, so that a resumed run decides the same.

    `scope` is what is listed, `item` the part of it that the decision is about, empty for all of
    it. All three are the source's own words; together they tell a note from all others.
    """

    scope: str
    item: str
    decision: str
