"""The order of a page's images, and which of them are cut away because of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exporter.tables.schemas import TIME

MAX_TIES = 64
"""Images of one repository created in the same microsecond that are told apart by id."""


@dataclass(frozen=True)
class Position:
    """A place in the order of images: a repository's name, and a creation time in it.

    `at` is None for the repository as a whole.
    """

    name: str
    at: datetime | None = None


@dataclass(frozen=True)
class Cut:
    """Which images of a page to keep, because another listing delivers the others.

    An image stays if its repository's name is before `names_before` and after `names_after`, it
    stands at or before `until` and at or after `since` (None sets no bound), and its id is not
    in `but_not`: images at the very place of a bound that the other listing has delivered.
    """

    names_before: str | None = None
    names_after: str | None = None
    until: Position | None = None
    since: Position | None = None
    but_not: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """How the images of a page follow each other, as the API sent them, before any cut.

    `names_rise` and `names_fall`: repository names, compared as UTF-8, never fall, or never rise.
    `times_rise` and `times_fall`: within one name, creation times never fall, or never rise; both
    are false where a time is missing. `first` and `last` are the places of the page's first and
    last image; a missing name is empty. `last_ids` are the ids of the images at the last place;
    empty if they are more than `MAX_TIES`.
    """

    names_rise: bool
    names_fall: bool
    times_rise: bool
    times_fall: bool
    first: Position
    last: Position
    last_ids: tuple[str, ...] = ()


def kept(
    ids: pa.StringArray,
    names: pa.DictionaryArray,
    created: pa.Array,
    wanted: Callable[[str], bool] | None,
    cut: Cut | None,
) -> pa.BooleanArray | None:
    """Return which images stay, or None for all of them.

    `wanted` says by repository name which images are in scope.
    """
    masks = []
    if cut is not None:
        if cut.names_before is not None:
            masks.append(_compare(names, pc.less, cut.names_before))
        if cut.names_after is not None:
            masks.append(_compare(names, pc.greater, cut.names_after))
        if cut.until is not None:
            masks.append(_beside(names, created, cut.until, pc.less, pc.less_equal))
        if cut.since is not None:
            masks.append(_beside(names, created, cut.since, pc.greater, pc.greater_equal))
        if cut.but_not:
            masks.append(pc.invert(pc.is_in(ids, pa.array(cut.but_not, pa.string()))))
    # What cannot be compared, a missing time or name, is never cut away.
    masks = [pc.fill_null(mask, True) for mask in masks]
    if wanted is not None:
        verdicts = [wanted(name) for name in names.dictionary.to_pylist()]
        masks.append(pc.fill_null(pa.array(verdicts, pa.bool_()).take(names.indices), False))
    return reduce(pc.and_, masks) if masks else None


_Comparison = Callable[[pa.Array, Any], pa.BooleanArray]


def _compare(names: pa.DictionaryArray, compare: _Comparison, name: str) -> pa.BooleanArray:
    return compare(names.dictionary, name).take(names.indices)


def _beside(
    names: pa.DictionaryArray,
    created: pa.TimestampArray,
    bound: Position,
    beyond: _Comparison,
    reaching: _Comparison,
) -> pa.BooleanArray:
    """Return which images stand beyond a bound's repository, or in it and not past its time."""
    inside = _compare(names, pc.equal, bound.name)
    if bound.at is not None:
        inside = pc.and_kleene(inside, reaching(created, pa.scalar(bound.at, TIME)))
    return pc.or_kleene(_compare(names, beyond, bound.name), inside)


def order_of(ids: pa.StringArray, names: pa.DictionaryArray, created: pa.TimestampArray) -> Order:
    """Return the order of a page that has images."""
    # Names are numbered as they appear: where no number comes again, their order is the page's.
    before, after = names.indices[:-1], names.indices[1:]
    in_turn = names.null_count == 0 and _all(pc.less_equal(before, after))
    listed = names.dictionary.to_pylist()
    timed = created.null_count == 0
    elsewhere = pc.not_equal(before, after)
    ties = ids.filter(
        pc.and_(pc.equal(names.indices, names.indices[-1]), pc.equal(created, created[-1]))
    )
    return Order(
        names_rise=in_turn and listed == sorted(listed),
        names_fall=in_turn and listed == sorted(listed, reverse=True),
        times_rise=timed and _all(pc.or_(elsewhere, pc.less_equal(created[:-1], created[1:]))),
        times_fall=timed and _all(pc.or_(elsewhere, pc.greater_equal(created[:-1], created[1:]))),
        first=_position(names, created, 0),
        last=_position(names, created, len(names) - 1),
        last_ids=tuple(one for one in ties.to_pylist() if one) if len(ties) <= MAX_TIES else (),
    )


def _all(truths: pa.BooleanArray) -> bool:
    return bool(pc.all(truths, skip_nulls=False, min_count=0).as_py())


def _position(names: pa.DictionaryArray, created: pa.TimestampArray, row: int) -> Position:
    return Position(names[row].as_py() or "", created[row].as_py())
