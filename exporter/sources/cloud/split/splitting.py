"""When a registry's listing is split further: what a free slot may do for it.

A second scan may start from the other end of a long one, to meet it. Or the registry is split: all
its repositories are listed one by one, and its own scans stop.

*A split relies on filters, and an order is checked.* A split finds each image by the filter for its
repository, wherever the order of the registry puts it. So it relies on the list of repositories: it
begins only after that list has come to its end, and a sample of the images has confirmed it
(`check`). With that, the API may ignore or refuse an order, sort by a language's rules, or have
images out of their places. And it cuts what the registry's own scans have listed, so it begins only
if all that is `known`.
"""

from __future__ import annotations

from exporter.crawl.task import Task
from exporter.sources.cloud.split import estimate
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import ListingState, Phase


class Splitting:
    """Decides what free slots may do for one registry, and whether that is worth its calls.

    `decisions` says whether it may cost more than one call.
    """

    def __init__(
        self, scans: Scans, closing: Closing, state: ListingState, context: Context
    ) -> None:
        self._scans = scans
        self._closing = closing
        self._state = state
        self._context = context
        self._none_long_at = -1  # The count of changes at which no scan was worth a second one.

    def is_worth_it(self, *, decisions: bool) -> bool:
        """Return whether `idle_task` has anything to do."""
        return self._wants_to_split(decisions) or bool(self._long_scans())

    def idle_task(self, *, decisions: bool) -> Task | None:
        """Return a task for a free slot, if it is worth splitting this registry further."""
        if self._wants_to_split(decisions):
            self._closing.ask_for_sample()
            if self._state.may_split_now:
                self._scans.split()
                return None
        long = self._long_scans()
        if not long:
            return None
        # The longest one goes first: it decides how long the run takes.
        longest = min(long, key=lambda one: (one is not self._scans.up, -one.pages))
        return self._scans.task(self._scans.meet(longest, queue=False))

    def _wants_to_split(self, decisions: bool) -> bool:
        """Return whether free slots would save time by listing the repositories one by one."""
        scans, context = self._scans, self._context
        up = scans.up
        if not decisions or not self._closing.list_is_whole:
            return False
        if self._state.phase is not Phase.SCANNING or scans.replay.is_running:
            return False
        if up is None or up.is_over or up.reading or not scans.partition.is_listable:
            return False
        return scans.known.is_whole and estimate.is_worth_splitting(
            scans.sizes,
            up,
            scans.down,
            slots=context.slots,
            fastest=context.pages.fastest_call,
            decoding=context.pages.decoding_seconds(up.bytes_per_page),
            policy=context.policy,
        )

    def _long_scans(self) -> list[Scan]:
        """Return the scans that are worth a second one.

        While a sample is awaited, the registry's own is not: it may be split instead.
        """
        scans = self._scans
        if not self._context.split or scans.replay.is_running:
            return []
        if self._none_long_at == scans.changes:
            return []
        long = [scan for scan in scans.open if self._can_be_met(scan)]
        if not long:
            self._none_long_at = scans.changes  # Free slots ask more often than pages come.
        awaited = self._state.sample.is_awaited
        return [scan for scan in long if not (awaited and scan is scans.up)]

    def _can_be_met(self, scan: Scan) -> bool:
        if scan.observed.last is None or scan.partner is not None or scan.is_over:
            return False
        if scan.direction is Direction.DESCENDING or not scan.observed.in_order:
            return False
        if scan.repository is None and self._state.is_split:
            return False
        scans, policy = self._scans, self._context.policy
        pages = estimate.pages_left(scans.sizes, scan, scans.up, policy)
        return self._context.backwards and estimate.is_worth_meeting(
            pages, scan.page_seconds, policy
        )
