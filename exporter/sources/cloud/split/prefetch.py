"""How a scan's pages are asked for: each in its turn, or the next one ahead of it.

*A scan's pages are handled in turn.* The next page may be prefetched as soon as a body shows its
token, but it is judged and written after the current page. If the current page was the last one
needed, or has another token after all, the prefetched page is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.page_store import key_of
from exporter.crawl.pending import PendingPage
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.images import ImagesDecoder, images_request
from exporter.sources.cloud.split import estimate
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import ListingState


class Prefetcher:
    """Asks for the pages of one registry's scans; `decoder_of` returns a scan's decoder.

    The calls for pages that are given up count in `entry`.
    """

    def __init__(
        self,
        scans: Scans,
        state: ListingState,
        entry: ListingStatus,
        context: Context,
        decoder_of: Callable[[Scan], ImagesDecoder],
    ) -> None:
        self._scans = scans
        self._state = state
        self._entry = entry
        self._context = context
        self._decoder_of = decoder_of

    def take(self, scan: Scan, call: Call) -> PendingPage[ImagesPage]:
        """Return the page of a call: the prefetched one if it is that, or one asked for now."""
        prefetched = scan.prefetched
        if prefetched is not None and _is_of(prefetched, scan, call):
            scan.prefetched = None
            return prefetched
        self.drop(scan)
        return self._start(scan, call)

    def drop(self, scan: Scan) -> None:
        """Give up the page that a scan has prefetched."""
        if scan.prefetched is not None:
            scan.prefetched.drop()
            self._entry.spent(scan.prefetched.sent.calls)
            scan.prefetched = None

    def _start(self, scan: Scan, call: Call) -> PendingPage[ImagesPage]:
        """Ask for a page; once its body shows the next one, that one may be prefetched."""
        task = self._scans.task(scan)
        return self._context.pages.start(
            images_request(
                call,
                scan.attempts.number,
                self._decoder_of(scan),
                check=scan.cursor.check,
                pages_left=lambda: task.priority.pages_left,
                follow=partial(self._prefetch, scan),
            )
        )

    def _prefetch(self, scan: Scan, token: str) -> None:
        """Ask for the page of a token, while the page before it is decoded and written."""
        call = scan.cursor.following(token)
        if call is None or scan.is_unwanted or self._scans.replay.is_running:
            return
        if scan.prefetched is not None and _is_of(scan.prefetched, scan, call):
            return
        self.drop(scan)
        context = self._context
        wanted = context.may_prefetch(self._scans.task(scan)) and self._will_go_on(scan)
        if wanted and not context.pages.is_stored(call, scan.attempts.number):
            scan.prefetched = self._start(scan, call)

    def _will_go_on(self, scan: Scan) -> bool:
        """Return whether a scan will need the page after its current one.

        It may meet its partner on the current page. With few pages left, that is unknown.
        """
        scans, policy, partner = self._scans, self._context.policy, scan.partner
        if partner is None:
            return scan.repository is not None or not self._state.is_split
        pages = estimate.pages_before_meeting(scans.sizes, scan, partner, scans.up, policy)
        return pages >= policy.pages_ahead


def _is_of(pending: PendingPage[ImagesPage], scan: Scan, call: Call) -> bool:
    """Return whether a page is what the current attempt of a scan gets by a call."""
    return pending.request.key == key_of(call, scan.attempts.number)
