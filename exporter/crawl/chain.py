"""One chain of image pages: what it lists, how far it has come, and whether its order holds.

A chain lists a registry or one of its repositories, upwards (by name, time and digest) or
downwards. Two chains of the same scope, one from either end, are partners: they are done where they
meet.
"""

from __future__ import annotations

import asyncio
from collections import deque

from exporter.api import Call, Chain
from exporter.crawl.asked import Asked
from exporter.crawl.ordering import Mode, ladder
from exporter.crawl.pages import Seen
from exporter.crawl.proof import Proof
from exporter.crawl.restarts import Restarts
from exporter.tables.order import Cut, Position, is_behind

PROOF = 16
"""Images after which an order that has held is believed. On pages of one or two images, what comes
in no order at all may look sorted for a while."""

LATEST = 5
"""Pages of a chain by which it is told how long one takes."""
REMEMBERED = 2
"""Pages of a chain whose images its partner is told apart from its own by id."""
TOLD_BY = 3
"""Images by which a listing's first page is told when it comes again."""
READING = 100
"""What the attempts of another reading of the same scope are counted from, times its number."""


class ImagesChain:
    """The state of one chain of image pages; `repository` is None for a whole registry.

    `last` is the place of the last image that the chain has dealt with; `by_name` says whether its
    repositories have come by name so far, `proof` whether all images have come that there are.
    `reading` counts how often the same scope was listed to its end before.
    """

    def __init__(
        self,
        base: Call,
        mode: Mode,
        repository: str | None,
        page_size: int,
        rung: int,
        reading: int = 0,
    ) -> None:
        self.mode = mode
        self.repository = repository
        self.reading = reading
        self.attempt = reading * READING - 1
        self.restarts = Restarts()
        self.pages = 0
        self.relists = False
        """It has begun again after some pages: what it asks for now is not looked for first."""
        self.stopped = False
        """Others have covered the rest (`stop`)."""
        self.anew = False
        """It has to begin again before its next page: what arrives is dropped."""
        self.partner: ImagesChain | None = None
        """The chain that comes from the other end."""
        self.asked: Asked | None = None
        """The page in hand, until it has come."""
        self.ahead: Asked | None = None
        """The page after it, where that was asked for before the one in hand is dealt with."""
        self.handed_over = asyncio.Event()
        """Set once the page judged last is handed over."""
        self.handed_over.set()
        self._waits_for: asyncio.Event | None = None
        self._seconds: deque[float] = deque(maxlen=LATEST)
        self._base = base
        self.page_size = page_size
        self._ladder = ladder(mode, repository, reading)
        self.rung = min(rung, len(self._ladder) - 1)
        self.restart()

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return not self.anew and (self.stopped or self.met or self.chain.call is None)

    @property
    def ended(self) -> bool:
        """Whether it has come to the end of its listing, and nobody has covered a part for it."""
        return self.chain.call is None and not (self.stopped or self.met or self.anew)

    @property
    def promises_order(self) -> bool:
        """Whether what is asked for now has an order that no two images are equal in."""
        return self._ladder[self.rung].total and not self.reading

    @property
    def in_order(self) -> bool:
        """Whether that order has held so far."""
        return self.promises_order and self.proof.total and not self.proof.doubtful

    @property
    def proven(self) -> bool:
        """Whether another chain may rely on this one's order."""
        return self.in_order and self.last is not None and self._observed >= PROOF

    @property
    def knows_ties(self) -> bool:
        """Whether images that only digests tell apart were often enough in their order."""
        return self._ties >= PROOF

    @property
    def recent(self) -> set[str]:
        """The ids of the images on its latest pages."""
        return set().union(*self._recent)

    @property
    def page_seconds(self) -> float:
        """Seconds that the fastest of this chain's latest pages took; 0 before the first.

        What others took longer, they have waited for the processor or the limiter.
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
        self.relists = self.pages > 0
        self.by_name = ordering.by_name
        self.proof = Proof(total=ordering.total, forgets=not self.reading)
        self.first: Position | None = None
        self.last: Position | None = None
        self.in_last_name = 0
        """Pages in a row that held nothing but the repository of the last image."""
        self.met = False
        """Its partner delivers all that follows: the page in hand is the last."""
        self._observed = 0
        self._first_ids: tuple[str, ...] = ()
        self._ties = 0
        self._names_before: tuple[str, ...] = ()
        self.seams: set[str] = set()
        """Repositories on pages whose last images came again on the next one."""
        self._recent: deque[tuple[str, ...]] = deque(maxlen=REMEMBERED)

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

    def begin_with(self, rung: int) -> None:
        """Forget all attempts, and begin with an ordering of the ladder."""
        self.rung, self.attempt = rung, self.reading * READING - 1
        self.restart()

    def begin_anew(self) -> None:
        """List everything from the beginning, in no order if the one asked for has not held."""
        self.anew = self.stopped = False
        self.restart(plain=not self.proof.total)

    def descend(self) -> bool:
        """Go one rung down the ladder of orderings, and begin anew; False at its foot."""
        if self.rung + 1 >= len(self._ladder):
            return False
        self.rung += 1
        self.restart()
        return True

    def observe(self, page: Seen) -> None:
        """Hold a page's order against the promised one, and note how far the chain has come."""
        upwards = self.mode is Mode.UP
        order, last, first = page.order, self.last, page.order.first
        strictly = order.rises if upwards else order.falls
        in_turn = order.names_rise if upwards else order.names_fall
        if self._ladder[self.rung].by_digest:
            strictly = order.digests_rise
        moved = 0
        if self._is_first(page.ids):
            tied = order.ties > 0 and not self._ladder[self.rung].by_digest
            self.proof.begin_again(long=len(page.ids) >= PROOF, tied=tied)
            last = None
        if last is not None and not self._is_behind(first, last):
            moved = self._moved(page.ids)
            strictly = strictly and moved > 0
        if last is not None and not moved:
            in_turn = in_turn and (last.name <= first.name if upwards else first.name <= last.name)
        self.by_name = self.by_name and in_turn
        # What is pushed to a repository comes last in it by time, and so moves nothing there. Of a
        # few images, no order at all may look like the one that was asked for.
        by_time = self.repository is not None and not self.reading
        pushed = not by_time and self._observed >= PROOF
        self.proof.add(page.ids, in_order=strictly, moved=moved, doubtful=moved > 0 and not pushed)
        if moved and not self.reading:
            self.seams.update(self._names_before)
        self._names_before = page.names
        self._ties += order.ties
        whole = first.name == order.last.name
        stays = last is None or last.name == order.last.name
        self.in_last_name = int(whole) + (self.in_last_name if whole and stays else 0)
        self.first = self.first or first
        self._first_ids = self._first_ids or page.ids
        self.last = order.last
        self._recent.append(page.ids)
        self._observed += len(page.ids)

    def _is_behind(self, one: Position, other: Position) -> bool:
        """Say whether a place is behind another in the order that was asked for."""
        if self._ladder[self.rung].by_digest:
            return (one.digest, one.name) > (other.digest, other.name)
        return is_behind(one, other) if self.mode is Mode.UP else is_behind(other, one)

    def _is_first(self, ids: tuple[str, ...]) -> bool:
        """Say whether a page is the first one again, or begins like it where one is shorter."""
        common = min(len(ids), len(self._first_ids))
        if len(ids) < self.page_size and ids == self._first_ids:
            return True
        return common >= TOLD_BY and ids[:common] == self._first_ids[:common]

    def _moved(self, ids: tuple[str, ...]) -> int:
        """Return how many images at a page's beginning are those that ended the page before.

        So it is where others were pushed before them meanwhile. The same page once more is no such
        page.
        """
        before = self._recent[-1] if self._recent else ()
        if ids[0] not in before:
            return 0
        moved = before[before.index(ids[0]) :]
        once_more = len(moved) == len(before) == len(ids)
        return len(moved) if ids[: len(moved)] == moved and not once_more else 0

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
        """Take note of what was cut from the page observed last."""
        self.met = cut.last
