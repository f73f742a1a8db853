"""One chain of image pages: what it lists, how far it has come, and whether its order holds.

A chain lists a registry or one of its repositories, upwards (by name, time and digest) or
downwards. Two chains of the same scope, one from either end, are partners: they are done where they
meet.
"""

from __future__ import annotations

import asyncio
from collections import deque

from exporter.crawl.pending import PendingPage
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.order import Position, RowFilter, is_behind
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.restarts import Restarts
from exporter.sources.cloud.split.ordering import Direction, order_fallbacks
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.proof import Proof
from exporter.sources.cloud.summary import Seen

READING = 100
"""What the attempts of another reading of the same scope are counted from, times its number."""


class Scan:
    """The state of one chain of image pages; `repository` is None for a whole registry.

    `last` is the place of the last image that the chain has dealt with; `by_name` says whether its
    repositories have come by name so far, `proof` whether all images have come that there are.
    `reading` counts how often the same scope was listed to its end before.
    """

    def __init__(
        self,
        base: Call,
        direction: Direction,
        repository: str | None,
        page_size: int,
        fallback: int,
        policy: SplitPolicy,
        reading: int = 0,
    ) -> None:
        self.policy = policy
        self.direction = direction
        self.repository = repository
        self.reading = reading
        self.attempt = reading * READING - 1
        self.restarts = Restarts()
        self.pages = 0
        self.relists = False
        """It has begun again after some pages: what it asks for now is not looked for first."""
        self.stopped = False
        """Others have covered the rest (`stop`)."""
        self.restart_unordered = False
        """It has to begin again before its next page: what arrives is dropped."""
        self.partner: Scan | None = None
        """The chain that comes from the other end."""
        self.asked: PendingPage[ImagesPage] | None = None
        """The page in hand, until it has come."""
        self.ahead: PendingPage[ImagesPage] | None = None
        """The page after it, where that was asked for before the one in hand is dealt with."""
        self.handed_over = asyncio.Event()
        """Set once the page judged last is handed over."""
        self.handed_over.set()
        self._waits_for: asyncio.Event | None = None
        self._seconds: deque[float] = deque(maxlen=policy.pages_timed)
        self._base = base
        self.page_size = page_size
        self._fallbacks = order_fallbacks(direction, repository, reading)
        self.fallback = min(fallback, len(self._fallbacks) - 1)
        self.restart()

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return not self.restart_unordered and (self.stopped or self.met or self.cursor.call is None)

    @property
    def ended(self) -> bool:
        """Whether it has come to the end of its listing, and nobody has covered a part for it."""
        return self.cursor.call is None and not (self.stopped or self.met or self.restart_unordered)

    @property
    def promises_order(self) -> bool:
        """Whether what is asked for now has an order that no two images are equal in."""
        return self._fallbacks[self.fallback].total and not self.reading

    @property
    def in_order(self) -> bool:
        """Whether that order has held so far."""
        return self.promises_order and self.proof.total and not self.proof.doubtful

    @property
    def proven(self) -> bool:
        """Whether another chain may rely on this one's order."""
        return (
            self.in_order
            and self.last is not None
            and self._observed >= self.policy.enough_in_order
        )

    @property
    def knows_ties(self) -> bool:
        """Whether images that only digests tell apart were often enough in their order."""
        return self._ties >= self.policy.enough_in_order

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
            self.fallback = len(self._fallbacks) - 1
        ordering = self._fallbacks[self.fallback]
        first = self._base
        if ordering.order_by is not None:
            first = first.with_params(orderBy=ordering.order_by)
        self.cursor = PageCursor(first, page_size=self.page_size)
        self.attempt += 1
        self.relists = self.pages > 0
        self.by_name = ordering.by_name
        self.proof = Proof(
            total=ordering.total, forget_after=None if self.reading else self.policy.ids_until
        )
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
        self.repeated_repositories: set[str] = set()
        """Repositories on pages whose last images came again on the next one."""
        self._recent: deque[tuple[str, ...]] = deque(maxlen=self.policy.pages_remembered)

    def shorten(self, reason: str) -> bool:
        """Ask for half as many images a page from here on; False where that is not possible."""
        if not self.cursor.shorten(reason):
            return False
        self.page_size = self.cursor.page_size
        return True

    def resize(self, page_size: int) -> None:
        """Ask for as many images a page as an earlier attempt did from here on."""
        self.cursor.resize(page_size)
        self.page_size = page_size

    def begin_with(self, fallback: int) -> None:
        """Forget all attempts, and begin with an ordering of the ladder."""
        self.fallback, self.attempt = fallback, self.reading * READING - 1
        self.restart()

    def begin_unordered(self) -> None:
        """List everything from the beginning, in no order if the one asked for has not held."""
        self.restart_unordered = self.stopped = False
        self.restart(plain=not self.proof.total)

    def fall_back(self) -> bool:
        """Go one rung down the ladder of orderings, and begin anew; False at its foot."""
        if self.fallback + 1 >= len(self._fallbacks):
            return False
        self.fallback += 1
        self.restart()
        return True

    def observe(self, page: Seen) -> None:
        """Hold a page's order against the promised one, and note how far the chain has come."""
        upwards = self.direction is Direction.ASCENDING
        order, last, first = page.order, self.last, page.order.first
        strictly = order.rises if upwards else order.falls
        in_turn = order.names_rise if upwards else order.names_fall
        if self._fallbacks[self.fallback].by_digest:
            strictly = order.digests_rise
        moved = 0
        if self._is_first(page.ids):
            tied = order.ties > 0 and not self._fallbacks[self.fallback].by_digest
            self.proof.begin_again(long=len(page.ids) >= self.policy.enough_in_order, tied=tied)
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
        pushed = not by_time and self._observed >= self.policy.enough_in_order
        self.proof.add(page.ids, in_order=strictly, moved=moved, doubtful=moved > 0 and not pushed)
        if moved and not self.reading:
            self.repeated_repositories.update(self._names_before)
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
        if self._fallbacks[self.fallback].by_digest:
            return (one.digest, one.name) > (other.digest, other.name)
        return (
            is_behind(one, other)
            if self.direction is Direction.ASCENDING
            else is_behind(other, one)
        )

    def _is_first(self, ids: tuple[str, ...]) -> bool:
        """Say whether a page is the first one again, or begins like it where one is shorter."""
        common = min(len(ids), len(self._first_ids))
        if len(ids) < self.page_size and ids == self._first_ids:
            return True
        return common >= self.policy.first_ids and ids[:common] == self._first_ids[:common]

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

    def cut(self, cut: RowFilter) -> None:
        """Take note of what was cut from the page observed last."""
        self.met = cut.last
