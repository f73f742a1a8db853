"""The order of a page's images, and which of them are cut because other scans list them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from exporter.tables.constants import FALSE, NO_TEXT, TRUE


@dataclass(frozen=True)
class Position:
    """A place in the order of images: repository, creation time, and digest.

    `text` is the time as it was sent: the API may sort by the digits that `at` has lost.
    """

    name: str
    at: datetime | None = None
    text: str = ""
    digest: str = ""


@dataclass(frozen=True)
class RowFilter:
    """The ids of a page's images that another scan has listed.

    `last` is true if the other scan also lists all that follows, so that this listing ends here.
    """

    but_not: tuple[str, ...] = ()
    last: bool = False


@dataclass(frozen=True)
class Order:
    """The order of a page's images, as the API sent them, before any cut.

    `names_rise` and `names_fall`: repository names, compared as UTF-8, never fall, or never rise.
    `rises` and `falls`: by name, time and digest, each image is behind the one before it, or each
    is before it. If a time is missing, or two times differ only past the microsecond, the order is
    not known, and counts as kept. `digests_rise`: by digest and name, each image is behind the one
    before it. `ties` counts the images that differ from the one before only by digest. `first` and
    `last` are the places of the page's first and last image; a missing name is empty.
    """

    names_rise: bool
    names_fall: bool
    rises: bool
    falls: bool
    digests_rise: bool
    ties: int
    first: Position
    last: Position


def kept(
    ids: pa.StringArray,
    names: pa.DictionaryArray,
    wanted: Callable[[str], bool] | None,
    cut: RowFilter | None,
) -> pa.BooleanArray | None:
    """Return which images are kept, or None for all of them.

    `wanted` decides by repository name which images are in scope.
    """
    left = None
    if cut is not None and cut.but_not:
        left = pc.invert(pc.is_in(ids, pa.array(cut.but_not, pa.string())))
    if wanted is None:
        return left
    verdicts = [wanted(name) for name in names.dictionary.to_pylist()]
    chosen = pc.fill_null(pa.array(verdicts, pa.bool_()).take(names.indices), FALSE)
    return chosen if left is None else pc.and_(left, chosen)


def order_of_page(
    names: pa.DictionaryArray,
    created: pa.TimestampArray,
    times: pa.StringArray,
    digests: pa.StringArray,
    ids: pa.StringArray,
    distinct: tuple[str, ...],
) -> Order:
    """Return the order of a page; an image that is on it twice counts at its first place."""
    if len(distinct) == len(ids):
        return _order_of(names, created, times, digests)
    first = pa.array(pc.index_in(pa.array(distinct, pa.string()), ids))
    # Encoded again, because `_order_of` needs names numbered as they appear.
    firsts = names.take(first).cast(pa.string()).dictionary_encode()
    return _order_of(firsts, created.take(first), times.take(first), digests.take(first))


def _order_of(
    names: pa.DictionaryArray,
    created: pa.TimestampArray,
    texts: pa.StringArray,
    digests: pa.StringArray,
) -> Order:
    """Return the order of a page with images; `texts` are the times as they were sent."""
    # Names are numbered as they appear. If no number comes again, their order is the page's.
    before, after = names.indices[:-1], names.indices[1:]
    in_turn = names.null_count == 0 and _all(pc.less_equal(before, after))
    listed = names.dictionary.to_pylist()
    names_rise = in_turn and listed == sorted(listed)
    names_fall = in_turn and listed == sorted(listed, reverse=True)
    elsewhere = pc.not_equal(before, after)
    earlier, later = created[:-1], created[1:]
    texts, digests = pc.fill_null(texts, NO_TEXT), pc.fill_null(digests, NO_TEXT)
    tied = pc.and_(pc.invert(elsewhere), pc.equal(texts[:-1], texts[1:]))
    digest, following = digests[:-1], digests[1:]

    def strictly(compare: Callable[[pa.Array, pa.Array], pa.BooleanArray], timed: str) -> bool:
        in_time = pc.fill_null(pc.call_function(timed, [earlier, later]), TRUE)
        behind = pc.and_(in_time, pc.or_(pc.invert(tied), compare(digest, following)))
        return _all(pc.or_(elsewhere, behind))

    return Order(
        names_rise=names_rise,
        names_fall=names_fall,
        rises=names_rise and strictly(pc.less, "less_equal"),
        falls=names_fall and strictly(pc.greater, "greater_equal"),
        digests_rise=_all(pc.less_equal(digest, following)) and _by_name(names, digest, following),
        ties=pc.sum(pc.fill_null(tied, FALSE)).as_py() or 0,
        first=_position(names, created, texts, digests, 0),
        last=_position(names, created, texts, digests, len(names) - 1),
    )


def _by_name(names: pa.DictionaryArray, digest: pa.StringArray, following: pa.StringArray) -> bool:
    """Return whether images with the same digest are in the order of their names."""
    same = pc.equal(digest, following)
    if not pc.any(same).as_py():
        return True
    texts = names.cast(pa.string())
    rising = pc.fill_null(pc.less(texts[:-1], texts[1:]), FALSE)
    return _all(pc.or_(pc.invert(same), rising))


def is_behind(one: Position, other: Position) -> bool:
    """Return whether a place is behind another by name, time and digest, as far as known."""
    if one.name != other.name:
        return one.name > other.name
    if one.text != other.text:
        return one.at is None or other.at is None or one.at >= other.at
    return one.digest > other.digest


def is_far_behind(one: Position, other: Position) -> bool:
    """Return whether a place is behind another by name or time alone."""
    if one.name != other.name:
        return one.name > other.name
    return one.at is not None and other.at is not None and one.at > other.at


def _all(truths: pa.BooleanArray) -> bool:
    return bool(pc.all(truths, skip_nulls=False, min_count=0).as_py())


def _position(
    names: pa.DictionaryArray,
    created: pa.TimestampArray,
    texts: pa.StringArray,
    digests: pa.StringArray,
    row: int,
) -> Position:
    return Position(
        names[row].as_py() or "", created[row].as_py(), texts[row].as_py(), digests[row].as_py()
    )
