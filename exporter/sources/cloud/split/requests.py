"""What one registry's chains ask for: the page in hand, and the one after it, ahead of its turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.page_store import key_of
from exporter.crawl.pending import PendingPage
from exporter.crawl.task import Task
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.pages import ImagesDecoder, images_request
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans


class Asking:
    """Asks for the pages of a registry's chains; `task` is how a chain is queued.

    Calls for what was asked ahead in vain are counted in `entry`.
    """

    def __init__(
        self,
        parents: Parents,
        entry: ListingStatus,
        context: Context,
        scans: Scans,
        task: Callable[[Scan], Task],
    ) -> None:
        self.decoder = ImagesDecoder(parents, context.filter)
        self._entry = entry
        self._context = context
        self._scans = scans
        self._task = task

    def page(self, scan: Scan, call: Call) -> PendingPage[ImagesPage]:
        """Return a chain's next page, asked for ahead or now."""
        ahead = scan.ahead
        if ahead is not None and ahead.request.key == key_of(call, scan.attempt):
            scan.ahead = None
            return ahead
        self.drop_ahead(scan)
        return self._ask(scan, call)

    def drop_ahead(self, scan: Scan) -> None:
        """Give up what a chain has asked for ahead."""
        if scan.ahead is not None:
            scan.ahead.drop()
            self._entry.spent(scan.ahead.sent.calls)
            scan.ahead = None

    def _ask(self, scan: Scan, call: Call) -> PendingPage[ImagesPage]:
        task = self._task(scan)
        request = images_request(
            call,
            scan.attempt,
            self.decoder,
            check=scan.cursor.check,
            pages_left=lambda: task.priority.pages_left,
            follow=partial(self._ask_ahead, scan),
        )
        return self._context.pages.start(request)

    def _ask_ahead(self, scan: Scan, token: str) -> None:
        """Ask for the page after the one that has come, while that is decoded and dealt with."""
        call = scan.cursor.following(token)
        if call is None or scan.stopped or scan.restart_unordered or self._scans.replay:
            return
        if scan.ahead is not None and scan.ahead.request.key == key_of(call, scan.attempt):
            return
        self.drop_ahead(scan)
        context = self._context
        wanted = context.may_ask_ahead(self._task(scan)) and self._scans.goes_on(scan)
        if wanted and not context.pages.is_stored(call, scan.attempt):
            scan.ahead = self._ask(scan, call)
