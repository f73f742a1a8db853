"""What is known of a page of images, what is decided by it, and how the journal keeps that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from exporter.crawl.pipeline import Cost
from exporter.sources.cloud.decode.order import Order, Position, RowFilter


@dataclass(frozen=True)
class Images:
    """What is known of a page of images once its rows are on their way to the parts.

    `listed` images were on the page and `rows` of them kept; `names` are the repositories met, in
    the page's order, with what was kept of each; `nameless` says whether an image is of none;
    `ids` are all listed ones', `cut` says what was left to another listing, and `sketch` tells the
    images listed from others'. `lost` says which images have no row, for want of an id.
    """

    listed: int
    rows: int
    layers: int
    names: Mapping[str, int]
    nameless: bool
    order: Order | None
    ids: tuple[str, ...]
    cut: RowFilter | None
    next_token: str
    cost: Cost
    sketch: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What a page tells a judge: its order, the repositories on it, and the ids of its images.

    `seconds` is how long its call took; None where it was recalled.
    """

    order: Order
    names: tuple[str, ...]
    ids: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True)
class Decided:
    """What an earlier attempt has cut from a page that it kept."""

    cut: RowFilter | None


def to_json(summary: Images) -> bytes:
    """Return what the journal is to keep of a page."""
    return orjson.dumps(summary)


def from_json(text: bytes) -> Images:
    """Return what `to_json` has written down of a page."""
    fields: dict[str, Any] = orjson.loads(text)
    order, cut = fields["order"], fields["cut"]
    fields["cost"] = Cost(**fields["cost"])
    if order is not None:
        places = {name: _position(order[name]) for name in ("first", "last")}
        fields["order"] = Order(**{**order, **places})
    if cut is not None:
        fields["cut"] = RowFilter(tuple(cut["but_not"]), cut["last"])
    texts = {name: tuple(fields.get(name, ())) for name in ("ids", "sketch", "lost")}
    return Images(**{**fields, **texts})


def _position(fields: Mapping[str, Any]) -> Position:
    at = fields["at"]
    return Position(**{**fields, "at": datetime.fromisoformat(at) if at else None})
