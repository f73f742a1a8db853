"""One chain of image pages: what it lists, how far it has come, and whether its order holds.

A chain lists a registry or one of its repositories, upwards (by name, then by time) or downwards.
Two chains of the same scope, one from either end, are partners: they are done where they meet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum

from exporter.api import Call, Chain
from exporter.crawl.asked import Asked
from exporter.tables.order import Cut, Order, Position

PROOF = 16
"""Images after which an order that has held is believed. On pages of one or two images, what comes
in no order at all may look sorted for a while."""

LATEST = 5
"""Pages of a chain by which it is told how long one takes."""


class Mode(Enum):
    """The direction a chain takes."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Ordering:
    """One `orderBy`, and whether it promises repositories by name, and images by time in them."""

    order_by: str | None
    by_name: bool
    by_time: bool


_UP_A_REGISTRY = (
    Ordering("name,created_at", by_name=True, by_time=True),
    Ordering("name", by_name=True, by_time=False),
    Ordering(None, by_name=False, by_time=False),
)
_UP_A_REPOSITORY = (
    Ordering("created_at", by_name=True, by_time=True),
    Ordering(None, by_name=True, by_time=False),
)
# A direction is not in the vendor's reference, but it is the form that other list calls of the same
# API take; where it is refused or ignored, the chain upwards goes on alone.
_DOWN_A_REGISTRY = (Ordering("name desc,created_at desc", by_name=True, by_time=True),)
_DOWN_A_REPOSITORY = (Ordering("created_at desc", by_name=True, by_time=True),)


def ladder(mode: Mode, repository: str | None) -> tuple[Ordering, ...]:
    """Return what is asked for in turn when the API refuses an `orderBy` with a 400."""
    if mode is Mode.UP:
        return _UP_A_REGISTRY if repository is None else _UP_A_REPOSITORY
    return _DOWN_A_REGISTRY if repository is None else _DOWN_A_REPOSITORY


class ImagesChain:
    """The state of one chain of image pages; `repository` is None for a whole registry.

    `last` is the place of the last image that the chain has dealt with, `last_ids` are the images
    at that place, `names` all repositories it has met; `by_name` and `by_time` say whether the
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
        self.stopped = False
        """Others have covered the rest (`stop`)."""
        self.anew = False
        """It has to begin again before its next page, and in no order: what arrives is dropped."""
        self.partner: ImagesChain | None = None
        """The chain that comes from the other end."""
        self.asked: Asked | None = None
        """The page in hand, until it has come."""
        self.ahead: Asked | None = None
        """The page after it, where that was asked for before the one in hand is dealt with."""
        self.relies = False
        """Images were cut because the partner delivers them."""
        self.handed_over = asyncio.Event()
        """Set once the page judged last is handed over."""
        self.handed_over.set()
        self._waits_for: asyncio.Event | None = None
        self._seconds: deque[float] = deque(maxlen=LATEST)
        self._base = base
        self.page_size = page_size
        self._ladder = ladder(mode, repository)
        self.rung = min(rung, len(self._ladder) - 1)
        self.restart()

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return not self.anew and (self.stopped or self.met or self.chain.call is None)

    @property
    def proven(self) -> bool:
        """Whether another chain may rely on this one's order."""
        return self.by_name and self.last is not None and self._observed >= PROOF

    @property
    def promises_order(self) -> bool:
        """Whether what is asked for now has an order."""
        return self._ladder[self.rung].order_by is not None

    @property
    def in_time(self) -> bool:
        """Whether another chain may rely on this one's order within a repository."""
        return self.by_time and self._pairs >= PROOF

    @property
    def page_seconds(self) -> float:
        """Seconds that the fastest of this chain's latest pages took; 0 before the first.

        What others took longer they have waited for the processor or the limiter, and that is not
        made shorter by asking for more at once.
        """
        return min(self._seconds, default=0.0)

    @property
    def per_page(self) -> float:
        """Images on one of its pages, on average; 1 before the first."""
        return max(self._observed / self.pages, 1.0) if self.pages else 1.0

    def took(self, seconds: float) -> None:
        """Note how long a page took that was asked for."""
        self._seconds.append(seconds)

    def restart(self, *, plain: bool = False) -> None:
        """Go back to the first page, under a new attempt's keys; `plain`: with no order at all."""
        if plain:
            self.rung = len(self._ladder) - 1
        ordering = self._ladder[self.rung]
        first = self._base
        if ordering.order_by is not None:
            first = first.with_params(orderBy=ordering.order_by)
        self.chain = Chain(first, page_size=self.page_size)
        self.attempt += 1
        self.by_name = ordering.by_name
        self.by_time = ordering.by_time
        self.first: Position | None = None
        self.last: Position | None = None
        self.last_ids: tuple[str, ...] = ()
        self.names: set[str] = set()
        self.in_last_name = 0
        """Pages in a row that held nothing but the repository of the last image."""
        self.met = False
        """Another chain delivers all that follows: the page in hand is the last."""
        self.met_partner = False
        """That other chain is the partner."""
        self._observed = 0
        self._pairs = 0  # Images that followed one of the same repository.
        self._came_from: tuple[Position | None, tuple[str, ...]] = None, ()

    def shorten(self, reason: str) -> bool:
        """Ask for half as many images a page from here on; False where that is not possible."""
        if not self.chain.shorten(reason):
            return False
        self.page_size = self.chain.page_size
        return True

    def resize(self, page_size: int) -> None:
        """Ask for as many images a page as an earlier attempt did from here on."""
        self.chain.resize(page_size)
        self.page_size = page_size

    def begin_plain(self) -> None:
        """List everything from the beginning, in no order."""
        self.anew = self.stopped = self.relies = False
        self.restart(plain=True)

    def descend(self) -> bool:
        """Go one rung down the ladder of orderings, and begin anew; False at its foot."""
        if self.rung + 1 >= len(self._ladder):
            return False
        self.rung += 1
        self.restart()
        return True

    def observe(self, order: Order, names: tuple[str, ...], listed: int) -> None:
        """Hold a page's order against the promised one, and note how far the chain has come.

        `names` are the repositories on the page, `listed` is how many images it has.
        """
        upwards = self.mode is Mode.UP
        last, first = self.last, order.first
        self._came_from = last, self.last_ids
        in_turn = order.names_rise if upwards else order.names_fall
        in_time = order.times_rise if upwards else order.times_fall
        if last is not None:
            in_turn = in_turn and (last.name <= first.name if upwards else first.name <= last.name)
            if last.name == first.name and last.at and first.at:
                in_time = in_time and (last.at <= first.at if upwards else first.at <= last.at)
        self.by_name = self.by_name and in_turn
        self.by_time = self.by_time and in_time
        if last == order.last:
            # Ties that go on over pages: the ids of some are not enough, and too many to hold.
            self.last_ids = self.last_ids + order.last_ids if order.last_ids else ()
        else:
            self.last_ids = order.last_ids
        whole = first.name == order.last.name
        stays = last is None or last.name == order.last.name
        self.in_last_name = int(whole) + (self.in_last_name if whole and stays else 0)
        self.first = self.first or first
        self.last = order.last
        self.names.update(names)
        self._observed += listed
        self._pairs += listed - len(names) + (last is not None and last.name == first.name)

    def stop(self) -> None:
        """Want nothing more, for others have covered the rest: a call under way is given up."""
        self.stopped = True
        if self.asked is not None:
            self.asked.drop()

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
        if cut == Cut(but_not=cut.but_not):
            # What was cut is not this chain's: no other must leave it out on its account.
            self.relies = True
            self.last_ids = tuple(one for one in self.last_ids if one not in cut.but_not)
            return
        self.met = True
        bound = cut.until or cut.since
        if bound is not None:
            self.relies = self.met_partner = True
            self.last = bound
            place, ids = self._came_from
            self.last_ids = ids if place == bound else ()
