"""One registry's images: its repositories as they come, and how its scans go on, page by page.

A registry's own scan lists it from its beginning to its end. Free slots may have a second scan meet
it from its other end, or split the registry: then all its repositories are listed one by one. Both
save time, and neither may lose an image that one scan to the end would find. The tests check what
that takes; each module has the invariants that it keeps:

- `splitting`: what a split relies on, and when it begins. `scans`: decisions are noted first.
- `prefetch`: pages are asked for ahead, and handled in turn.
- `judge`, `meeting`: where two scans meet, and what is cut from a page.
- `failures`: what becomes of failed calls.
- `closing`, `proof`: when a listing is complete, and what is listed again before it is.
- Here: *a dependency is written first.* If a page was cut because another scan lists the rest, it
  is written after that scan's page. Pages that an earlier attempt stored are replayed before any
  call (`replay`).

Images that come and go while a listing runs do not count as missing (`README.md`). Those that are
pushed before a scan's place move others to its next page, where they come again in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.pending import Dropped
from exporter.errors import ApiError
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.images import FetchedImages, ImagesDecoder
from exporter.sources.cloud.split import estimate
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.failures import Failures
from exporter.sources.cloud.split.judge import Judge
from exporter.sources.cloud.split.meeting import have_passed
from exporter.sources.cloud.split.partition import listable
from exporter.sources.cloud.split.prefetch import Prefetcher
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.span import Span, nameless
from exporter.sources.cloud.split.splitting import Splitting
from exporter.sources.cloud.split.state import ListingState
from exporter.sources.cloud.split.task import ScanTask
from exporter.sources.cloud.summary import Images


class RegistryListing:
    """The images of one registry; `expected_pages` are those of an earlier snapshot.

    With `span`, it lists only those repositories, one by one; call `list_span` instead of `start`.
    `splitting` says what free slots may do for it.
    """

    def __init__(
        self,
        registry_id: str,
        parents: Parents,
        entry: ListingStatus,
        context: Context,
        expected_pages: float | None = None,
        span: Span | None = None,
    ) -> None:
        self.registry_id = registry_id
        self.parents = parents
        self._entry = entry
        self._context = context
        self._expected = expected_pages
        self._span = span
        self._decoder = ImagesDecoder(parents, context.filter)
        self._whole_decoder = self._decoder if span is None else ImagesDecoder(parents, span.holds)
        may_split = context.split and context.wanted.all_repositories
        self._state = ListingState(may_split=may_split)
        self._scans = Scans(registry_id, context, self._state, partial(ScanTask, self))
        refresh = partial(context.refresh, self)
        self._closing = Closing(self._scans, self._state, entry, context, refresh)
        self._judge = Judge(self._scans, self._closing, context)
        self._failures = Failures(self._scans, self._closing, context)
        self._prefetcher = Prefetcher(self._scans, self._state, entry, context, self._decoder_of)
        self.splitting = Splitting(self._scans, self._closing, self._state, context)

    # The repositories.

    def start(self) -> None:
        """Begin the ascending scan, unless the user's repositories decide what is listed."""
        if self._context.wanted.exact_repositories is None and not self._scans.resumes:
            self._scans.begin_whole(may_split=False)

    def list_span(self, span: Span) -> None:
        """Begin to list the repositories of a span alone."""
        self._closing.begin_split(span)
        self._scans.split()
        self._scans.begin_alone(estimate.largest_first(self._scans.sizes))
        self._closing.settle()

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Receive the registry's repositories; `whole` if the list is complete."""
        wanted, closing = self._context.wanted, self._closing
        every = set(names)
        wanted.patterns.see(sorted(every))
        chosen = [name for name in every if wanted.repository(name)]
        closing.repositories_listed(chosen, every - set(chosen), whole=whole)
        exact = wanted.named_in(self.registry_id, chosen)
        if whole and exact is not None and all(map(listable, exact)):
            self._scans.begin_alone(sorted(exact))
        elif self._scans.up is None:
            self._scans.begin_whole(may_split=whole)
        if self._state.is_split:
            closing.ask_for_sample()
        closing.settle()

    def repositories_refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Receive the repositories, listed again; `whole` if these are all of them."""
        own = names if self._span is None else list(filter(self._span.holds, names))
        self._closing.refreshed(own, whole=whole)

    def is_new_repository(self, name: str) -> bool:
        """Return whether a repository was created since they were listed."""
        own = self._span is None or self._span.holds(name)
        return own and bool(self._scans.partition.unlisted([name]))

    @property
    def ended(self) -> bool:
        """Whether the registry's listing has ended, whatever the result."""
        return self._state.is_done

    # Its place in the order of work.

    @property
    def most_pages_left(self) -> float:
        """The pages that its longest scan may have left; the longest registry is split first."""
        return max((self.pages_left(scan) for scan in self._scans.open), default=0.0)

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a scan may have left, for the order of work."""
        scans = self._scans
        if scans.replay.has(scan):
            return math.inf
        if scan is scans.up and self._expected is not None:
            return max(self._expected - scan.pages, 1.0)
        return max(estimate.pages_left(scans.sizes, scan, scans.up, self._context.policy), 1.0)

    # The way of a page.

    async def run_one(self, scan: Scan) -> bool:
        """Handle a scan's next page; return True while there is more."""
        try:
            return await self._page(scan)
        except BaseException:
            self._prefetcher.drop(scan)
            raise

    async def _page(self, scan: Scan) -> bool:
        """Handle a scan's next page, from its call to its rows; return True while there is more.

        The page was prefetched, or is asked for now. In its turn, its order is judged, and the rows
        that other scans list are cut. Once those scans have written their rows, this page is
        written too, and the scan advances to the next page.
        """
        pages = self._context.pages
        await self._scans.replay.others(scan)
        if scan.state is ScanState.RESTARTING:
            scan.begin_again()
        if self._was_over(scan) and not self._scans.replay.has(scan):
            scan.stop()
        if scan.is_over or scan.cursor.call is None:
            return self._end(scan)
        self._entry.begin()
        scan.pending = self._prefetcher.take(scan, scan.cursor.call)
        try:
            async with pages.arrived(scan.pending, self._decoder_of(scan)) as page:
                cut = self._judge.judge(scan, page.seen, page.before) if page.seen else None
                if cut is not None and isinstance(page, FetchedImages):
                    await page.cut(cut)
                    await scan.handover.dependency_written()
                images = await page.write()
            self._count(scan, images)
            scan.advance(images)
            self._closing.read_again()
        except Dropped as dropped:
            self._entry.spent(dropped.calls)
        except ApiError as error:
            self._entry.spent(error.calls)
            if scan.state is not ScanState.RESTARTING and self._failures.handle(scan, error):
                return True
        finally:
            scan.pending = None
            scan.handover.finish()
            self._scans.replay.look(scan)
        return self._end(scan) if scan.is_over else True

    def _was_over(self, scan: Scan) -> bool:
        """Return whether an earlier attempt ended a scan at this place, without a page.

        It did not if its partner met other pages than those that were replayed.
        """
        if scan.repository is None and self._state.is_split:
            return True
        partner = scan.partner
        if partner is None or partner.state is not ScanState.MET:
            return False
        return have_passed(scan, partner)

    def _decoder_of(self, scan: Scan) -> ImagesDecoder:
        """Return a scan's decoder: of the whole registry, it keeps the rows of the span."""
        return self._whole_decoder if scan.repository is None else self._decoder

    def _count(self, scan: Scan, images: Images) -> None:
        """Count a page that was written."""
        scan.pages += 1
        self._scans.note(scan, images)
        self._entry.page(calls=images.cost.calls, items=images.listed)
        self._entry.lose(images.lost)
        if self._context.filter is not None:
            self._context.wanted.patterns.see(images.names)
        self._closing.page_written(scan, images.names)
        if self._span is not None and scan.repository is None and images.nameless:
            self._closing.failed(nameless(scan.attempts.first_call))

    def _end(self, scan: Scan) -> bool:
        """End a scan: it has no more pages."""
        self._prefetcher.drop(scan)
        self._closing.scan_ended(scan)
        return False
