"""One registry's images: its own scans from both ends, and the repositories that a split lists.

Free slots may do two things. A second scan may start from the other end of a long one, to meet it.
Or the registry is split: all its repositories are listed one by one, and its own scans stop.
Neither may lose an image that one scan to the end would find. The tests check these invariants:

- *A split relies on filters, and an order is checked.* A split finds each image by the filter for
  its repository, wherever the order of the registry puts it. So it relies on the list of
  repositories: a sample of the images is checked before (`check`), and the list is read again
  before the end. With that, the API may ignore or refuse an order, sort by a language's rules, or
  have images out of their places.
- *A scan that reaches its end proves itself* (`proof`). Each image is behind the one before it in
  an order without ties (`name,created_at,digest`), or no image came twice. If neither holds, ties
  came in another order on another page, and as many images are missing as came twice. The scope is
  then listed again, by digest, until all readings together are complete. If that cannot be proven
  after some readings, the listing is partial, and its message says so.
- *Two scans meet only while both are in that order*, and where they have read the same images
  (`meeting`). If one image is out of its place, the ascending scan continues to its end alone. This
  relies on a reverse order that is the exact reverse. If the two orders disagree about an image's
  place, neither scan may read it, and no client can tell it from one that does not exist.
- *Only images that another scan has listed are cut*, one by one: the key drops duplicates later. A
  split cuts what the registry's own scans have listed, so it begins only if all that is `known`.
- *A scan's pages are handled in turn.* The next page may be prefetched as soon as a body shows its
  token, but it is judged and written after the current page. If the current page was the last one
  needed, or has another token after all, the prefetched page is given up.
- *A decision is noted first*, before any page that is cut because of it: a resumed run repeats it.
- *A dependency is written first.* If a page was cut because another scan lists the rest, it is
  written after that scan's page. Pages that an earlier attempt stored are replayed before any call.
- *Lost trust does not return.* If a repository is not on the list, or cannot be listed alone, one
  scan lists the whole registry again.

Images that come and go while a listing runs do not count as missing (`README.md`). Those that are
pushed before a scan's place move others to its next page, where they come again in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.page_store import key_of
from exporter.crawl.pending import Dropped, PendingPage
from exporter.crawl.task import Task
from exporter.errors import AnswerError, ApiError, is_refused
from exporter.http.address import call_line
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.images import FetchedImages, ImagesDecoder, images_request
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.estimate import largest_first
from exporter.sources.cloud.split.failures import FailureAction, handle_failure
from exporter.sources.cloud.split.judge import Judge
from exporter.sources.cloud.split.meeting import have_passed
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import listable
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.span import Span
from exporter.sources.cloud.split.state import ListingState
from exporter.sources.cloud.split.task import ScanTask
from exporter.sources.cloud.summary import Images


class RegistryListing:
    """The images of one registry; `expected_pages` are those of an earlier snapshot.

    With `span`, it lists only those repositories, one by one; call `list_span` instead of `start`.
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

    # The repositories.

    def start(self) -> None:
        """Begin the ascending scan, unless the user's repositories decide what is listed."""
        if self._context.wanted.exact_repositories is None and not self._scans.resumes:
            self._scans.begin_whole(may_split=False)

    def list_span(self, span: Span) -> None:
        """Begin to list the repositories of a span alone."""
        self._closing.begin_split(span)
        self._scans.split()
        self._scans.begin_alone(largest_first(self._scans.sizes))
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

    # Priorities, and tasks for free slots.

    @property
    def most_pages_left(self) -> float:
        """The pages that its longest scan may have left; the longest registry is split first."""
        return max((self.pages_left(scan) for scan in self._scans.open), default=0.0)

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a scan may have left, for the order of work."""
        if self._scans.replay.has(scan):
            return math.inf
        if scan is self._scans.up and self._expected is not None:
            return max(self._expected - scan.pages, 1.0)
        return max(self._scans.pages_left(scan), 1.0)

    def is_divisible(self, *, decisions: bool) -> bool:
        """Return whether `idle_task` has anything to do for this registry."""
        whole = not self._state.sample.is_awaited
        return self._wants_to_split(decisions) or bool(self._scans.long_ones(whole=whole))

    def idle_task(self, *, decisions: bool) -> Task | None:
        """Return a task for a free slot, if it is worth splitting this registry further.

        `decisions` says whether that may cost more than one call.
        """
        if self._wants_to_split(decisions):
            self._closing.ask_for_sample()
            if self._state.may_split_now:
                self._scans.split()
                return None
        return self._scans.idle_task(whole=not self._state.sample.is_awaited)

    def _wants_to_split(self, decisions: bool) -> bool:
        return decisions and self._closing.list_is_whole and self._scans.wants_to_split

    # The way of a page.

    async def run_one(self, scan: Scan) -> bool:
        """Handle a scan's next page; return True while there is more."""
        try:
            return await self._page(scan)
        except BaseException:
            self._drop_prefetched(scan)
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
        scan.pending = self._take_prefetched(scan) or self._start(scan, scan.cursor.call)
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
            if scan.state is not ScanState.RESTARTING and self._handle_failure(scan, error):
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

    def _take_prefetched(self, scan: Scan) -> PendingPage[ImagesPage] | None:
        """Return the next page if it was prefetched; give up another prefetched page."""
        prefetched = scan.prefetched
        if prefetched is not None and self._is_next(scan, prefetched, scan.cursor.call):
            scan.prefetched = None
            return prefetched
        self._drop_prefetched(scan)
        return None

    def _start(self, scan: Scan, call: Call) -> PendingPage[ImagesPage]:
        """Ask for a page; once its body shows the next one, that one may be prefetched."""
        task = ScanTask(self, scan)
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

    def _decoder_of(self, scan: Scan) -> ImagesDecoder:
        """Return a scan's decoder: of the whole registry, it keeps the rows of the span."""
        return self._whole_decoder if scan.repository is None else self._decoder

    def _prefetch(self, scan: Scan, token: str) -> None:
        """Ask for the page of a token, while the page before it is decoded and written."""
        call = scan.cursor.following(token)
        if call is None or scan.is_unwanted or self._scans.replay.is_running:
            return
        if scan.prefetched is not None and self._is_next(scan, scan.prefetched, call):
            return
        self._drop_prefetched(scan)
        context = self._context
        wanted = context.may_prefetch(ScanTask(self, scan)) and self._scans.will_go_on(scan)
        if wanted and not context.pages.is_stored(call, scan.attempts.number):
            scan.prefetched = self._start(scan, call)

    def _is_next(self, scan: Scan, pending: PendingPage[ImagesPage], call: Call | None) -> bool:
        return call is not None and pending.request.key == key_of(call, scan.attempts.number)

    def _drop_prefetched(self, scan: Scan) -> None:
        """Give up the page that a scan has prefetched."""
        if scan.prefetched is not None:
            scan.prefetched.drop()
            self._entry.spent(scan.prefetched.sent.calls)
            scan.prefetched = None

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
            self._closing.failed(_nameless(scan))

    # Failures, and the end.

    def _handle_failure(self, scan: Scan, error: ApiError) -> bool:
        """Handle a failed call; return True if the scan continues."""
        closing, context = self._closing, self._context
        action = handle_failure(scan, error)
        if action is FailureAction.AGAIN:
            if scan is self._scans.up:
                context.fallback = max(context.fallback, scan.attempts.fallback)
            return True
        scan.stop()
        if action is FailureAction.WITHOUT:
            if is_refused(error):
                context.backwards = False
            self._scans.give_up(scan)
        elif action is FailureAction.ABANDON_SPLIT and scan.repository is not None:
            closing.refused(scan.repository, error)
        elif action is FailureAction.GONE and scan.repository is not None:
            closing.gone(scan.repository)
        elif action is FailureAction.FAILED:
            closing.failed(error)
        return False

    def _end(self, scan: Scan) -> bool:
        """End a scan; if it reached its end alone, nothing is left for its partner."""
        self._drop_prefetched(scan)
        ascending, partner = scan.direction is Direction.ASCENDING, scan.partner
        if scan.state is ScanState.EXHAUSTED and ascending and partner is not None:
            partner.stop()
        self._closing.scan_ended(scan)
        self._scans.ended(scan)
        self._closing.settle()
        return False


def _nameless(scan: Scan) -> AnswerError:
    """Return the error for an image that is in no span, for it names no repository."""
    call = scan.attempts.first_call
    return AnswerError(
        "images of the registry name no repository, so that they are in none of the parts that it "
        "is listed in; list it with one machine",
        call=call_line(call),
        scope=call.scope,
        calls=0,
    )
