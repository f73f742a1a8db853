"""The seam: where two chains of one scope meet, and what is cut from a page there.

A chain upwards and one downwards have met once both have read the same images: in one order, and
its reverse, all that lies before those was read by the one, all behind them by the other. Names and
times are not enough to tell that. One image out of its place would look like the place a chain has
come to, and all between that and where it really is would be lost. Nor is one image enough, if it
stands at another place in the reverse order; and of images that are equal in name and time, one
chain may have read the same as the other, unless the order of digests is proven.

Only what the other chain has delivered is cut away, image by image.
"""

from __future__ import annotations

from exporter.sources.cloud.decode.order import RowFilter, is_behind, is_far_behind
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan


def meeting_point(scan: Scan, ids: tuple[str, ...]) -> RowFilter | None:
    """Return what to cut from the page observed last, which has images with these ids."""
    partner = scan.partner
    if partner is None or partner.stopped or not (scan.proven and partner.proven):
        return None
    delivered = partner.recent
    shared = tuple(one for one in ids if one in delivered)
    if not shared:
        return None
    met = len(scan.recent & delivered) >= scan.policy.enough_shared and have_passed(scan, partner)
    return RowFilter(shared, last=met)


def have_passed(one: Scan, other: Scan) -> bool:
    """Say whether two chains have passed each other, whatever the order of ties."""
    up, down = (one, other) if one.direction is Direction.ASCENDING else (other, one)
    if up.last is None or down.last is None:
        return False
    if up.knows_ties and down.knows_ties:
        return is_behind(up.last, down.last)
    return is_far_behind(up.last, down.last)


def pages_between(one: Scan, other: Scan) -> float:
    """Return how many pages two chains may have left between them, or 0 where it cannot be told.

    It can where both are in the repository that the first began with: its pace over the times
    there is taken to go on.
    """
    places = (one.first, one.last, other.last)
    if len({place.name if place else None for place in places}) > 1:
        return 0.0
    begins, ends, far = (place.at if place else None for place in places)
    if begins is None or ends is None or far is None or begins == ends:
        return 0.0
    return one.pages * (far - ends) / (ends - begins)


def is_believed(down: Scan) -> bool:
    """Say whether a chain downwards falls, and from behind the place its partner has come to."""
    if not down.in_order:
        return False
    up = down.partner.last if down.partner is not None else None
    begins = down.first if not down.pages else None
    return up is None or begins is None or is_behind(begins, up)
