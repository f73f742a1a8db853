"""The order that the pages of one attempt have shown, and the place that they have reached."""

from __future__ import annotations

from collections import deque

from exporter.sources.cloud.decode.order import Order, Position, is_behind
from exporter.sources.cloud.split.ordering import Direction, Ordering
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.proof import Proof
from exporter.sources.cloud.summary import Seen


class Observed:
    """The pages that one attempt of a scan has read, compared with the order asked for.

    `first` and `last` are the places of the first and the last image, `images` counts them, and
    `proof` says whether no image is missing. `pages_in_last_name` pages in a row had only the
    repository of the last image. `repeated_repositories` are those on a page whose last images came
    again on the next one.
    """

    def __init__(
        self,
        ordering: Ordering,
        direction: Direction,
        policy: SplitPolicy,
        *,
        of_repository: bool,
        again: bool,
    ) -> None:
        self.proof = Proof(
            total=ordering.total,
            enough=policy.enough_in_order,
            forget_after=None if again else policy.ids_until,
        )
        self.first: Position | None = None
        self.last: Position | None = None
        self.images = 0
        self.pages_in_last_name = 0
        self.repeated_repositories: set[str] = set()
        self._ordering = ordering
        self._direction = direction
        self._policy = policy
        self._again = again  # Whether the scope was listed to its end before.
        self._by_time = of_repository and not again
        self._first_ids: tuple[str, ...] = ()
        self._ties = 0
        self._names_before: tuple[str, ...] = ()
        self._recent: deque[tuple[str, ...]] = deque(maxlen=policy.pages_remembered)

    @property
    def in_order(self) -> bool:
        """Whether an order without ties was asked for, and has held so far."""
        promised = self._ordering.total and not self._again
        return promised and self.proof.total and not self.proof.doubtful

    @property
    def proven(self) -> bool:
        """Whether another scan may rely on this one's order."""
        enough = self.images >= self._policy.enough_in_order
        return self.in_order and self.last is not None and enough

    @property
    def knows_ties(self) -> bool:
        """Whether enough images that differ only by digest came in that order."""
        return self._ties >= self._policy.enough_in_order

    @property
    def recent(self) -> set[str]:
        """The ids of the images on the latest pages."""
        return set().union(*self._recent)

    def add(self, page: Seen, page_size: int) -> None:
        """Compare a page's order with the promised one; `page_size` images were asked for."""
        order, last, first = page.order, self.last, page.order.first
        strictly = self._is_strict(order)
        moved = 0
        if self._is_first(page.ids, page_size):
            tied = order.ties > 0 and not self._ordering.by_digest
            long = len(page.ids) >= self._policy.enough_in_order
            self.proof.begin_again(long=long, tied=tied)
            last = None
        if last is not None and not self._is_behind(first, last):
            moved = self._moved(page.ids)
            strictly = strictly and moved > 0
        # An image pushed to a repository is the last one in it by time, and so moves nothing there.
        doubtful = moved > 0 and self._by_time
        self.proof.add(page.ids, in_order=strictly, moved=moved, doubtful=doubtful)
        if moved and not self._again:
            self.repeated_repositories.update(self._names_before)
        self._names_before = page.names
        self._ties += order.ties
        one_name = first.name == order.last.name
        stays = last is None or last.name == order.last.name
        before = self.pages_in_last_name if one_name and stays else 0
        self.pages_in_last_name = int(one_name) + before
        self.first = self.first or first
        self._first_ids = self._first_ids or page.ids
        self.last = order.last
        self._recent.append(page.ids)
        self.images += len(page.ids)

    def _is_strict(self, order: Order) -> bool:
        """Return whether each image of a page is behind the one before it."""
        if self._ordering.by_digest:
            return order.digests_rise
        return order.rises if self._direction is Direction.ASCENDING else order.falls

    def _is_behind(self, one: Position, other: Position) -> bool:
        """Return whether a place is behind another in the order that was asked for."""
        if self._ordering.by_digest:
            return (one.digest, one.name) > (other.digest, other.name)
        ascending = self._direction is Direction.ASCENDING
        return is_behind(one, other) if ascending else is_behind(other, one)

    def _is_first(self, ids: tuple[str, ...], page_size: int) -> bool:
        """Return whether a page is the first one again, or a shorter one that begins like it."""
        common = min(len(ids), len(self._first_ids))
        if len(ids) < page_size and ids == self._first_ids:
            return True
        return common >= self._policy.first_ids and ids[:common] == self._first_ids[:common]

    def _moved(self, ids: tuple[str, ...]) -> int:
        """Return how many images at a page's beginning are those at the end of the page before.

        Images that are pushed before them meanwhile move them there. The same page again does not
        count.
        """
        before = self._recent[-1] if self._recent else ()
        if ids[0] not in before:
            return 0
        moved = before[before.index(ids[0]) :]
        once_more = len(moved) == len(before) == len(ids)
        return len(moved) if ids[: len(moved)] == moved and not once_more else 0
