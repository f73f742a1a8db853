"""The seam: where a chain meets what others deliver, and what is cut from its page there.

Two chains of one scope have met once a page of one has a repository on it that the other has been
in. The server's own order says so, whatever that is: all that lies before that repository in the
one direction, and behind it in the other, has been listed between them. Within the repository that
both have come to, times tell.
"""

from __future__ import annotations

from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain, Mode
from exporter.tables.order import Cut, Order, Position


def seam(
    chain: ImagesChain, order: Order, names: tuple[str, ...], block: Block | None
) -> Cut | None:
    """Return the cut at which a chain meets what other chains deliver, if it has come there.

    `order` and `names`, in the page's order, are those of the page observed last. `block` are the
    repositories listed one by one, if the chain may rely on that.
    """
    upwards = chain.mode is Mode.UP
    if chain.repository is None and block and block.first is not None and block.last is not None:
        if upwards:
            return Cut(names_before=block.first) if order.last.name >= block.first else None
        return Cut(names_after=block.last) if order.last.name <= block.last else None
    partner = chain.partner
    if partner is None or partner.stopped or not (chain.proven and partner.proven):
        return None
    shared = next((name for name in names if name in partner.names), None)
    if shared is None or partner.last is None:
        return None
    if shared == partner.last.name:
        return _where_both_are(chain, partner, partner.last)
    # The repository that the partner is in has gone: all from here on is delivered.
    return Cut(names_before=shared) if upwards else Cut(names_after=shared)


def _where_both_are(chain: ImagesChain, partner: ImagesChain, place: Position) -> Cut | None:
    """Return the cut in a repository that a chain has come to; its partner is at `place` in it."""
    timed = chain.in_time and partner.in_time
    ids = partner.last_ids if timed else ()
    if not have_met(chain, partner):
        # Both may have come to the very same image, and there may be more at its time.
        return Cut(but_not=ids) if ids and chain.last == place else None
    bound = place if timed else Position(place.name)
    return Cut(until=bound, but_not=ids) if chain.mode is Mode.UP else Cut(since=bound, but_not=ids)


def have_met(one: ImagesChain, other: ImagesChain) -> bool:
    """Say whether two chains of a scope, of which one has come to the other's repository, overlap.

    The chain upwards has all images before its last place and some at it, the chain downwards all
    behind its last place and some at it: nothing is left between them only where they overlap. A
    chain that was cut has all images at its last place too, so that meeting there is enough.
    """
    up, down = (one, other) if one.mode is Mode.UP else (other, one)
    if up.last is None or down.last is None or up.stopped or down.stopped:
        return False
    if up.last.name != down.last.name:
        return down.last.name < up.last.name
    if not (up.in_time and down.in_time) or up.last.at is None or down.last.at is None:
        return False
    if up.met or down.met:
        return down.last.at <= up.last.at
    return down.last.at < up.last.at


def pages_between(one: ImagesChain, other: ImagesChain) -> float:
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


def is_believed(down: ImagesChain, end: str | None) -> bool:
    """Say whether a chain downwards falls, and from behind the place its partner has come to.

    `end` is where the repositories end that are listed one by one: once it has come there it also
    has to be proven.
    """
    if not (down.by_name and down.by_time):
        return False
    up = down.partner.last if down.partner is not None else None
    begins = down.first if not down.pages else None
    if up is not None and begins is not None and not _is_behind(begins, up):
        return False
    at_end = end is not None and down.last is not None and down.last.name <= end
    return down.proven or not at_end


def _is_behind(one: Position, other: Position) -> bool:
    if one.name != other.name:
        return one.name > other.name
    return one.at is not None and other.at is not None and one.at > other.at
