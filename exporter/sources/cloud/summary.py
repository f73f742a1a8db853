"""The summary of a page of images, and its form in the journal."""

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
    """The summary of a page of images whose rows are on their way to the parts.

    `listed` images were on the page, and `rows` of them were kept. `names` are the repositories, in
    the page's order, with the number of rows kept of each. `nameless` is true if an image has no
    repository. `ids` are those of all listed images, `cut` says which rows were left to another
    listing, and `sketch` identifies the page's images. `lost` are the images without a row, because
    they have no id.
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
    """The part of a page that decisions use: its order, its repositories, its images' ids.

    `seconds` is the duration of its call, None if the page was stored; `bytes` is its size then.
    """

    order: Order
    names: tuple[str, ...]
    ids: tuple[str, ...]
    seconds: float | None = None
    bytes: int = 0


@dataclass(frozen=True)
class Decided:
    """The rows that an earlier attempt left out of a page that it kept."""

    cut: RowFilter | None


def to_json(summary: Images) -> bytes:
    """Return the form of a page's summary in the journal."""
    return orjson.dumps(summary)


def from_json(text: bytes) -> Images:
    """Return a page's summary from the form that `to_json` wrote."""
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
