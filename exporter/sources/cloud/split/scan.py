"""One scan of image pages: its scope, its place, and its state.

A scan lists a registry or one of its repositories, ascending (by name, time and digest) or
descending. Two scans of the same scope, one from each end, are partners: both end where they meet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum

from exporter.crawl.pending import PendingPage
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.restarts import Restarts
from exporter.sources.cloud.split.observed import Observed
from exporter.sources.cloud.split.ordering import Direction, ScanAttempts, order_fallbacks
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.summary import Images, Seen


class ScanState(Enum):
    """The states of a scan."""

    RUNNING = "it has pages to ask for"
    RESTARTING = "it begins again before its next page, and drops the current page"
    EXHAUSTED = "it has read its listing to the end"
    MET = "its partner has read all that follows its last page"
    STOPPED = "other scans list the rest, or no more of its pages are needed"


_MAY_BECOME = {
    ScanState.RUNNING: {
        ScanState.RESTARTING,
        ScanState.EXHAUSTED,
        ScanState.MET,
        ScanState.STOPPED,
    },
    ScanState.RESTARTING: {ScanState.RUNNING},
    ScanState.EXHAUSTED: {ScanState.STOPPED, ScanState.RESTARTING},
    ScanState.MET: {ScanState.STOPPED, ScanState.RESTARTING},
    ScanState.STOPPED: {ScanState.RESTARTING},
}
"""The states that may follow each state. No other place changes a state."""


class Handover:
    """Whether the page that a scan judged last is written, for scans that rely on it."""

    def __init__(self) -> None:
        self.written = asyncio.Event()
        self.written.set()
        self._dependency: asyncio.Event | None = None

    def begin(self, partner: Handover | None) -> None:
        """Begin with the current page, which relies on the partner's current page."""
        self._dependency = partner.written if partner is not None else None
        self.written = asyncio.Event()

    def finish(self) -> None:
        """Note that the current page is written, or dropped."""
        self.written.set()

    async def dependency_written(self) -> None:
        """Wait until the page that was the partner's current one at `begin` is written."""
        if self._dependency is not None:
            await self._dependency.wait()


class Scan:
    """One scan of image pages; `repository` is None for a whole registry.

    `partner` is the scan from the other end. `pending` is the current page until it has come, and
    `prefetched` the page after it, if it was asked for ahead of its turn. `pages` counts the pages
    of all attempts, and `observed` has the order of the current attempt's pages. `relists` is true
    if an earlier attempt has read some of the same pages.
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
        self.direction = direction
        self.repository = repository
        self._state = ScanState.RUNNING
        self.partner: Scan | None = None
        self.pending: PendingPage[ImagesPage] | None = None
        self.prefetched: PendingPage[ImagesPage] | None = None
        self.handover = Handover()
        self.restarts = Restarts()
        self.pages = 0
        fallbacks = order_fallbacks(direction, repository, reading)
        self.attempts = ScanAttempts(base, fallbacks, fallback, reading)
        self._seconds: deque[float] = deque(maxlen=policy.pages_timed)
        self._bytes: deque[int] = deque(maxlen=policy.pages_timed)
        self._policy = policy
        self._go_to_first_page(page_size)

    def _go_to_first_page(self, page_size: int) -> None:
        self.cursor = PageCursor(self.attempts.first_call, page_size=page_size)
        self.relists = self.pages > 0
        self.observed = Observed(
            self.attempts.ordering,
            self.direction,
            self._policy,
            of_repository=self.repository is not None,
            again=bool(self.reading),
        )

    @property
    def reading(self) -> int:
        """How often the same scope was listed to its end before."""
        return self.attempts.reading

    @property
    def page_size(self) -> int:
        """The number of images that a page is asked for with."""
        return self.cursor.page_size

    @property
    def page_seconds(self) -> float:
        """Seconds that the fastest of the latest pages took; 0 before the first.

        The others took longer because they waited for the processor or the limiter.
        """
        return min(self._seconds, default=0.0)

    @property
    def bytes_per_page(self) -> float:
        """Bytes of a page, on average over the latest ones; 0 before the first."""
        return sum(self._bytes) / len(self._bytes) if self._bytes else 0.0

    @property
    def images_per_page(self) -> float:
        """Images on a page, on average; 1 before the first."""
        return max(self.observed.images / self.pages, 1.0) if self.pages else 1.0

    # Its state.

    @property
    def state(self) -> ScanState:
        """Its state."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether there is no page left to ask for."""
        return self._state in (ScanState.EXHAUSTED, ScanState.MET, ScanState.STOPPED)

    @property
    def is_unwanted(self) -> bool:
        """Whether the current page is to be dropped."""
        return self._state in (ScanState.STOPPED, ScanState.RESTARTING)

    def _become(self, state: ScanState) -> None:
        if state is self._state:
            return
        if state not in _MAY_BECOME[self._state]:
            raise RuntimeError(f"a scan that is {self._state.name} cannot be {state.name}")
        self._state = state

    def stop(self) -> None:
        """Stop the scan, and give up the call under way.

        A scan that is about to begin again does so, because it lists everything itself.
        """
        if self.state is not ScanState.RESTARTING:
            self._become(ScanState.STOPPED)
        if self.pending is not None:
            self.pending.drop()

    def restart_soon(self) -> None:
        """Let the scan begin again before its next page (`begin_again`)."""
        self._become(ScanState.RESTARTING)

    def begin_again(self) -> None:
        """List everything from the beginning, in no order if the one asked for has not held."""
        self._become(ScanState.RUNNING)
        if not self.observed.proof.total:
            self.attempts.without_order()
        self.restart()

    def meet(self) -> None:
        """Make the current page the last one, as the partner has read all that follows."""
        if self.state is ScanState.RUNNING:
            self._become(ScanState.MET)

    # Its pages.

    def restart(self) -> None:
        """Go back to the first page, as another attempt."""
        self.attempts.next()
        self._go_to_first_page(self.page_size)

    def begin_with(self, fallback: int) -> None:
        """Forget all attempts, and begin with the order number `fallback`."""
        self.attempts.begin_with(fallback)
        self._go_to_first_page(self.page_size)

    def fall_back(self) -> bool:
        """Begin again with the next order; return False if there is none."""
        if not self.attempts.fall_back():
            return False
        self.restart()
        return True

    def shorten(self, reason: str) -> bool:
        """Ask for half as many images a page from here on; return False if that is not possible."""
        return self.cursor.shorten(reason)

    def take(self, page: Seen) -> None:
        """Compare the current page's order with the promised one, and note its time."""
        self.handover.begin(self.partner.handover if self.partner is not None else None)
        self.observed.add(page, self.page_size)
        if page.seconds is not None:
            self._seconds.append(page.seconds)
            self._bytes.append(page.bytes)

    def advance(self, images: Images) -> None:
        """Advance to the next page; raises `AnswerError` if the listing would never end."""
        self.cursor.advance(images.next_token, items=images.listed, sketch=images.sketch)
        if self.cursor.call is None and self.state is ScanState.RUNNING:
            self._become(ScanState.EXHAUSTED)
