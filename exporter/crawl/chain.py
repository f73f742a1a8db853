"""One chain of image pages: where it is, whether its order holds, and where it meets another.

A chain lists a whole registry from the front (by name, then by time), or one repository alone
(by time), or one repository from the back (by time, downwards) until it meets its partner, the
chain that comes to the same images from the front.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from exporter.api import Call, Chain
from exporter.errors import PageError
from exporter.tables.images import Cut, Order


class Mode(Enum):
    """What a chain lists, and in which order."""

    FRONT = "front"
    ALONE = "alone"
    BACK = "back"


@dataclass(frozen=True)
class Ordering:
    """One `orderBy`, and whether it promises repositories by name, and images by time in them."""

    order_by: str | None
    by_name: bool
    by_time: bool


LADDERS: dict[Mode, tuple[Ordering, ...]] = {
    Mode.FRONT: (
        Ordering("name,created_at", by_name=True, by_time=True),
        Ordering("name", by_name=True, by_time=False),
        Ordering(None, by_name=False, by_time=False),
    ),
    Mode.ALONE: (
        Ordering("created_at", by_name=True, by_time=True),
        Ordering(None, by_name=True, by_time=False),
    ),
    # A direction is not in the vendor's reference, but it is the form that other list calls of
    # the same API take; where it is refused or ignored, the forward chain goes on alone.
    Mode.BACK: (Ordering("created_at desc", by_name=True, by_time=True),),
}
"""What is asked for in turn when the API refuses an `orderBy` with a 400."""


class ImagesChain:
    """The state of one chain of image pages; `repository` is None for a whole registry.

    `last_name` and `last_at` are the repository and the time of the last image that the chain has
    dealt with, `last_ids` the images at that time; `by_name` and `by_time` say whether the
    promised order has held so far.
    """

    def __init__(
        self, base: Call, mode: Mode, repository: str | None, page_size: int, rung: int
    ) -> None:
        self.mode = mode
        self.repository = repository
        self.attempt = -1
        self.restarts = 0
        self.pages = 0
        self.images = 0
        self.stopped = False
        """Others have covered the rest: what still arrives is dropped."""
        self.partner: ImagesChain | None = None
        """The chain that comes from the other end of the same repository."""
        self.relies = False
        """Images were cut because the partner delivers them."""
        self.handed_over = asyncio.Event()
        """Set once the page judged last is handed over."""
        self.handed_over.set()
        self._waits_for: asyncio.Event | None = None
        self._base = base
        self._page_size = page_size
        self._ladder = LADDERS[mode]
        self.rung = min(rung, len(self._ladder) - 1)
        self.restart()

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return self.stopped or self.met or self.chain.call is None

    def restart(self, *, plain: bool = False) -> None:
        """Begin at the first page, under a new attempt's keys; `plain`: with no order at all."""
        if plain:
            self.rung = len(self._ladder) - 1
        ordering = self._ladder[self.rung]
        first = self._base
        if ordering.order_by is not None:
            first = first.with_params(orderBy=ordering.order_by)
        self.chain = Chain(first, page_size=self._page_size)
        self.attempt += 1
        self.by_name = ordering.by_name
        self.by_time = ordering.by_time
        self.last_name = ""
        self.last_at: datetime | None = None
        self.last_ids: tuple[str, ...] = ()
        self._came_from: tuple[datetime | None, tuple[str, ...]] = None, ()
        self.met = False
        """Another chain delivers all that follows: the page in hand is the last."""

    def descend(self) -> bool:
        """Go one rung down the ladder of orderings, and begin anew; False at its foot."""
        if self.rung + 1 >= len(self._ladder):
            return False
        self.rung += 1
        self.restart()
        return True

    def check(self, token: str) -> None:
        """Refuse a token that the chain was given before; raises `PageError`."""
        if token and self.chain.has_seen(token):
            raise PageError("the next page's token is one that this listing was given before")

    def observe(self, order: Order) -> None:
        """Hold a page's order against the promised one, and note how far the chain has come."""
        downwards = self.mode is Mode.BACK
        in_time = order.falling if downwards else order.rising
        self._came_from = self.last_at, self.last_ids
        if self.pages and self.last_name:
            self.by_name = self.by_name and self.last_name <= order.first
            if self.last_name == order.first and self.last_at and order.first_at:
                before, after = self.last_at, order.first_at
                in_time = in_time and (after <= before if downwards else before <= after)
        self.by_name = self.by_name and order.by_name
        self.by_time = self.by_time and in_time
        if (self.last_name, self.last_at) == (order.last, order.last_at):
            # Ties that go on over pages: the ids of some are not enough, and too many to hold.
            self.last_ids = self.last_ids + order.last_ids if order.last_ids else ()
        else:
            self.last_ids = order.last_ids
        self.last_name = order.last
        self.last_at = order.last_at

    def take(self) -> None:
        """Begin to hand the page in hand over."""
        self._waits_for = self.partner.handed_over if self.partner is not None else None
        self.handed_over = asyncio.Event()

    async def partner_handed_over(self) -> None:
        """Wait until what the partner had in hand, when this page was cut, is handed over."""
        if self._waits_for is not None:
            await self._waits_for.wait()

    def cut(self, cut: Cut) -> None:
        """Take note of what was cut from the page observed last; beyond a bound, others deliver."""
        self.relies = self.relies or cut.names_before is None or cut.created_until is not None
        if cut == Cut(but_not=cut.but_not):
            # What was cut is not this chain's: no other must leave it out on its account.
            self.last_ids = tuple(one for one in self.last_ids if one not in cut.but_not)
        else:
            self.met = True
            self.last_at = cut.created_until or cut.created_from or self.last_at
            at, ids = self._came_from
            self.last_ids = ids if at == self.last_at else ()
            if self.partner is not None and self.partner.repository is not None:
                self.last_name = min(self.last_name, self.partner.repository)


def have_met(one: ImagesChain, other: ImagesChain) -> bool:
    """Say whether two chains from both ends of a repository have covered all of it between them.

    The forward chain has all images before its last time and some at it, the back chain all
    after its last time and some at it: nothing is left between them only where they overlap. A
    chain that was cut has all images at its last time too, so that meeting there is enough.
    """
    forward, back = (other, one) if one.mode is Mode.BACK else (one, other)
    if forward.stopped or back.stopped or not (forward.by_time and back.by_time):
        return False
    if forward.last_name != back.repository or forward.last_at is None or back.last_at is None:
        return False
    if forward.met or back.met:
        return back.last_at <= forward.last_at
    return back.last_at < forward.last_at


def seam(chain: ImagesChain, order: Order, boundary: str | None) -> Cut | None:
    """Return the cut at which a chain meets what other chains deliver, if it has come there.

    `boundary` is the first repository that is claimed, if the front may rely on claims; `order` is
    the page's, already observed.
    """
    partner = chain.partner
    if chain.mode is Mode.FRONT and boundary and order.last >= boundary:
        if partner is not None and order.first == partner.repository and _in_time(chain, partner):
            # The page ends the repository that the partner walks, and passes what it delivered.
            return Cut(boundary, created_until=partner.last_at, but_not=partner.last_ids)
        return Cut(names_before=boundary)
    if partner is None or order.first != order.last:
        return None
    if not have_met(chain, partner):
        # Both may have come to the very same image, and there may be more at its time.
        return Cut(but_not=partner.last_ids) if _share_a_time(chain, partner) else None
    if chain.mode is Mode.BACK:
        return Cut(created_from=partner.last_at, but_not=partner.last_ids)
    return Cut(created_until=partner.last_at, but_not=partner.last_ids)


def _in_time(chain: ImagesChain, partner: ImagesChain) -> bool:
    """Say whether a chain can be cut by the time its partner has come to."""
    return chain.by_time and partner.by_time and bool(partner.last_at) and not partner.stopped


def _share_a_time(one: ImagesChain, other: ImagesChain) -> bool:
    """Say whether two chains from both ends have come to the same time, but not past each other."""
    here, there = (one.last_name, one.last_at), (other.last_name, other.last_at)
    return one.by_time and other.by_time and one.last_at is not None and here == there
