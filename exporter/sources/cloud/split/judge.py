"""What a page's order decides: whether to believe it, and which rows to cut.

- *Two scans meet only while both are in order*, and where they have read the same images
  (`meeting`). If one image is out of its place, the ascending scan continues to its end alone. This
  relies on a reverse order that is the exact reverse. If the two orders disagree about an image's
  place, neither scan may read it, and no client can tell it from one that does not exist.
- *Only images that another scan has listed are cut*, one by one: the key drops duplicates later. A
  split cuts what the registry's own scans have listed (`known`).
"""

from __future__ import annotations

import structlog

from exporter.crawl.pending import Dropped
from exporter.sources.cloud.decode.order import RowFilter
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.meeting import cut_known, is_believed, meeting_point
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.summary import Decided, Seen

log = structlog.get_logger()


class Judge:
    """Judges the pages of one registry's scans, each in its turn."""

    def __init__(self, scans: Scans, closing: Closing, context: Context) -> None:
        self._scans = scans
        self._closing = closing
        self._context = context

    def judge(self, scan: Scan, page: Seen, before: Decided | None) -> RowFilter | None:
        """Decide what to cut from the current page; `before` if an earlier attempt has decided.

        Raises `Dropped` if no row of the page is needed.
        """
        if scan.is_unwanted:
            raise Dropped
        scan.take(page)
        self._doubt_order(scan, fresh=before is None)
        if scan.repository is None:
            self._closing.doubt_list(page.names)
        cut = self._new_cut(scan, page) if before is None else self._cut_before(scan, page, before)
        if cut is not None and cut.last:
            scan.meet()
            if before is None and scan.state is ScanState.MET and scan.partner is not None:
                scan.partner.stop()
        return cut

    def _new_cut(self, scan: Scan, page: Seen) -> RowFilter | None:
        """Cut the rows that other scans have listed."""
        cut = meeting_point(scan, page.ids, self._context.policy.enough_shared)
        return cut if scan.repository is None else cut_known(cut, self._scans.listed_by_own(page))

    def _cut_before(self, scan: Scan, page: Seen, before: Decided) -> RowFilter | None:
        """Cut the rows that an earlier attempt has cut, if the scans that list them exist again."""
        cut = before.cut
        others = () if cut is None or scan.partner is not None else cut.but_not
        if others and not set(others).issubset(self._scans.known.among(page)):
            scan.restart_soon()
            raise Dropped
        return cut

    def _doubt_order(self, scan: Scan, *, fresh: bool) -> None:
        """Give up a descending scan if its order, or its partner's, has not held."""
        partner = scan.partner
        if scan.direction is Direction.ASCENDING:
            if partner is not None and not scan.observed.in_order:
                self._scans.give_up(partner)
        elif fresh and not is_believed(scan):
            in_order = scan.observed.in_order
            if not in_order:
                self._context.backwards = False
            log.info("descent_not_believed", repository_name=scan.repository, in_order=in_order)
            self._scans.give_up(scan)
            raise Dropped
