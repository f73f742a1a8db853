"""The meeting point: where two scans of one scope meet, and which rows are cut from a page there.

An ascending and a descending scan have met once both have read the same images. In one order and
its reverse, one scan has read everything before those images, and the other everything behind them.
Names and times are not enough. One image out of its place would look like the place that a scan has
reached, and all images between that and its real place would be lost. One shared image is not
enough either, because it may have another place in the reverse order. And of images that are equal
in name and time, both scans may have read the same ones, unless the order of digests is proven.

Only images that the other scan has listed are cut, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.sources.cloud.decode.order import RowFilter, is_behind, is_far_behind
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan


def meeting_point(scan: Scan, ids: tuple[str, ...], enough_shared: int) -> RowFilter | None:
    """Return what to cut from the current page, which has images with these ids, or None.

    Two scans meet once both have read `enough_shared` images.
    """
    partner = scan.partner
    if partner is None or partner.is_unwanted:
        return None
    one, other = scan.observed, partner.observed
    if not (one.proven and other.proven):
        return None
    delivered = other.recent
    shared = tuple(id_ for id_ in ids if id_ in delivered)
    if not shared:
        return None
    met = len(one.recent & delivered) >= enough_shared and have_passed(scan, partner)
    return RowFilter(shared, last=met)


def cut_known(cut: RowFilter | None, known: Iterable[str]) -> RowFilter | None:
    """Return what to cut if other scans know some of the images as well."""
    ids = tuple(known)
    if not ids:
        return cut
    return RowFilter(ids) if cut is None else RowFilter((*cut.but_not, *ids), cut.last)


def have_passed(one: Scan, other: Scan) -> bool:
    """Return whether two scans have passed each other, whatever the order of ties."""
    up, down = (one, other) if one.direction is Direction.ASCENDING else (other, one)
    low, high = up.observed, down.observed
    if low.last is None or high.last is None:
        return False
    if low.knows_ties and high.knows_ties:
        return is_behind(low.last, high.last)
    return is_far_behind(low.last, high.last)


def is_believed(down: Scan) -> bool:
    """Return whether a descending scan falls, and begins behind the place of its partner."""
    if not down.observed.in_order:
        return False
    up = down.partner.observed.last if down.partner is not None else None
    begins = down.observed.first if not down.pages else None
    return up is None or begins is None or is_behind(begins, up)
