"""One registry's images: its chains from both ends, and what free slots claim between them.

Free slots may do two things. A second chain may come to meet a long one from its other end. Or the
registry's repositories are listed one by one, all of them, and its own chains stop. Neither may
lose what one chain to the end would have found. Invariants, which the tests hold:

- *Filters are relied on, orders are checked.* Listed one by one, each image comes by the filter for
  its repository, wherever the order of the registry has put it. That relies on the list of
  repositories: a witness is heard before (`witness`), and the list is read again before the end.
  So orders may be ignored, refused, a language's, or have images out of their places.
- *A chain that comes to its end proves itself* (`proof`): each image stands behind the one before
  it in an order without ties (`name,created_at,digest`), or no image came twice. Where neither
  holds, ties have come in another order on another page, and as many images are missing as came
  twice. The scope is then listed again, by digest, or else until all readings together are whole;
  a listing of which that cannot be said after some of them is partial, and its message says so.
- *Two chains meet only while both are in that order*, and where they have read the same images
  (`meeting_point`). If one image stands out of its place, the scan upwards goes on to its end
  alone. This relies on a reverse order that is the reverse: an image that has a place of its own in
  each may be read by neither, and no client can tell that from one that is not there.
- *Only what was delivered is cut*, image by image: what comes twice is dropped later by its key.
- *A chain's pages are dealt with in turn.* The next one may be asked for as soon as a body shows
  its token, but is judged and handed over after the one in hand; where that was the last wanted,
  or turns out to have another token, what was asked for ahead is given up.
- *A claim comes first.* It is journalled before any page that is cut on its account, so that a run
  that is taken up again makes it again.
- *What is relied on comes first.* A page that was cut because another chain delivers the rest is
  handed over after that chain's page; what an earlier attempt kept is replayed before any call.
- *Trust is lost for good.* A repository that was not listed, or one that is listed and yet cannot
  be listed alone, has the registry listed anew, by one chain.

What comes and goes while a listing runs is not missing (`README.md`, How values look): images
pushed before the place a scan has come to move others to its next page, where they come again in
the same order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.pending import Dropped
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import ApiError, is_refused
from exporter.sources.cloud.decode.order import RowFilter
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.failures import FailureAction, handle_failure
from exporter.sources.cloud.split.meeting import have_passed, is_believed, meeting_point
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import RepositoryPartition, listable
from exporter.sources.cloud.split.requests import Asking
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.summary import Decided, Images, Seen

log = structlog.get_logger()


class RegistryListing:
    """The images of one registry; `expected_pages` is what an earlier snapshot lets expect."""

    def __init__(
        self,
        registry_id: str,
        parents: Parents,
        entry: ListingStatus,
        context: Context,
        expected_pages: float | None = None,
    ) -> None:
        self.registry_id = registry_id
        self.parents = parents
        self._entry = entry
        self._context = context
        self._expected = expected_pages
        task = partial(ScanTask, self)
        self._scans = Scans(registry_id, context, task)
        self._asking = Asking(parents, entry, context, self._scans, task)
        self._closing = Closing(self._scans, entry, context, partial(context.refresh, self))

    def start(self) -> None:
        """Begin upwards, unless what to list first depends on the repositories."""
        if self._context.wanted.exact_repositories is None and not self._scans.resumes:
            self._scans.begin_whole(may_split=False)

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Take the registry's repositories; `whole` if the list can be relied on."""
        wanted, closing = self._context.wanted, self._closing
        every = set(names)
        wanted.patterns.see(sorted(every))
        chosen = [name for name in every if wanted.repository(name)]
        closing.left_out |= every - set(chosen)
        closing.listed = whole
        self._scans.partition = RepositoryPartition(
            chosen, self._context.slots, self._context.policy
        )
        if self._scans.trusted and self._scans.partition.unlisted(closing.met):
            closing.abandon_split("repositories were met that are not listed")
        exact = wanted.named_in(self.registry_id, chosen)
        if whole and exact is not None and all(map(listable, exact)):
            self._scans.begin_alone(sorted(exact))
        elif self._scans.up is None:
            self._scans.begin_whole(may_split=whole)
        if closing.split:
            closing.ask_for_sample()
        closing.settle()

    def repositories_refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the repositories as they were listed again; `whole` if the list is all of them."""
        self._closing.refreshed(names, whole=whole)

    @property
    def ended(self) -> bool:
        """Whether the registry's listing is over, however it went."""
        return self._entry.status is not None

    @property
    def weight(self) -> float:
        """Pages that may still come: which registry is worth splitting first."""
        return max((self.pages_left(scan) for scan in self._scans.open), default=0.0)

    def is_new_repository(self, name: str) -> bool:
        """Say whether a repository was created since they were listed."""
        return bool(self._scans.partition.unlisted([name]))

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a chain may still take, for the order of work."""
        if scan in self._scans.replay:
            return math.inf
        if scan is self._scans.up and self._expected is not None:
            return max(self._expected - scan.pages, 1.0)
        return max(self._scans.pages_left(scan), 1.0)

    def idle_task(self, *, decisions: bool) -> Task | None:
        """Return a chain for a free slot, if this registry is worth splitting further.

        `decisions` says whether that may cost more calls than one.
        """
        closing = self._closing
        decisions = decisions and bool(closing.listed)
        if decisions and self._scans.wants_to_split:
            closing.ask_for_sample()
            if closing.may_split:
                self._scans.split()
                return None
        return self._scans.idle_task(whole=not closing.awaits_sample)

    async def run_one(self, scan: Scan) -> bool:
        """Ask for a chain's next page; return True while there is more to ask."""
        try:
            return await self._page(scan)
        except BaseException:
            self._asking.drop_ahead(scan)
            raise

    async def _page(self, scan: Scan) -> bool:
        await self._scans.replay.others(scan)
        if scan.restart_unordered:
            scan.begin_unordered()
        if self._is_over(scan) and scan not in self._scans.replay:
            scan.stopped = True
        if scan.cursor.call is None or scan.done:
            return self._end(scan)
        self._entry.begin()
        scan.asked = self._asking.page(scan, scan.cursor.call)
        try:
            pages = self._context.pages
            with await pages.arrived(scan.asked, self._asking.decoder) as arrived:
                cut = self._judge(scan, arrived.seen, arrived.before) if arrived.seen else None
                images = await pages.write(arrived, cut, scan.partner_handed_over)
            scan.pages += 1
            self._note(scan, images)
            scan.cursor.advance(images.next_token, items=images.listed, sketch=images.sketch)
            self._closing.read_again()
        except Dropped as dropped:
            self._entry.spent(dropped.calls)
        except ApiError as error:
            self._entry.spent(error.calls)
            if not scan.restart_unordered and self._handle_failure(scan, error):
                return True
        finally:
            scan.asked = None
            scan.handed_over.set()
            self._scans.replay.look(scan)
        return self._end(scan) if scan.done else True

    def _is_over(self, scan: Scan) -> bool:
        """Say whether an earlier attempt ended a chain where it has come to, without a page.

        It has not where the pages that its partner has met are not those that were replayed.
        """
        if scan.repository is None and self._scans.alone:
            return True
        partner = scan.partner
        return partner is not None and partner.met and have_passed(scan, partner)

    def _note(self, scan: Scan, images: Images) -> None:
        self._scans.note(scan, images.ids)
        self._entry.page(calls=images.cost.calls, items=images.listed)
        self._entry.lose(images.lost)
        if scan.repository is None:
            self._closing.met.update(name for name, kept in images.names.items() if kept)
        wanted = self._context.filter
        if wanted is not None:
            self._context.wanted.patterns.see(images.names)
            self._closing.left_out.update(name for name in images.names if not wanted(name))

    # What a page's order decides.

    def _judge(self, scan: Scan, page: Seen, before: Decided | None) -> RowFilter | None:
        """Decide what to cut from a page; `before` if an earlier attempt has done so."""
        if scan.stopped or scan.restart_unordered:
            raise Dropped
        scan.take()
        scan.observe(page)
        if page.seconds is not None:
            scan.took(page.seconds)
        self._doubt(scan, page.names, fresh=before is None)
        if before is not None:
            cut = before.cut
            if cut is not None and scan.partner is None and not self._scans.has(cut.but_not):
                scan.restart_unordered = True
                raise Dropped
        else:
            cut = meeting_point(scan, page.ids)
            known = self._scans.known(page.ids) if scan.repository is not None else ()
            if known:
                cut = (
                    RowFilter(known) if cut is None else RowFilter((*cut.but_not, *known), cut.last)
                )
        if cut is not None:
            scan.cut(cut)
        if before is None and scan.met and scan.partner is not None:
            scan.partner.stop()
        return cut

    def _doubt(self, scan: Scan, names: tuple[str, ...], *, fresh: bool) -> None:
        """Look for a reason to trust neither the order nor the list of repositories."""
        if scan.direction is Direction.DESCENDING and fresh:
            self._doubt_descent(scan)
        partner = scan.partner
        if scan.direction is Direction.ASCENDING and partner is not None and not scan.in_order:
            self._scans.give_up(partner)
        if scan.repository is None and self._scans.trusted and self._closing.listed:
            unlisted = self._scans.partition.unlisted(names)
            if unlisted:
                self._closing.abandon_split(
                    f"repository {unlisted[0]} has images, but is not listed"
                )

    def _doubt_descent(self, down: Scan) -> None:
        if is_believed(down):
            return
        if not down.in_order:
            self._context.backwards = False
        log.info("descent_not_believed", repository_name=down.repository, in_order=down.in_order)
        self._scans.give_up(down)
        raise Dropped

    # What goes wrong, and the end.

    def _handle_failure(self, scan: Scan, error: ApiError) -> bool:
        """Do what can be done about a failed call; return True if the chain goes on."""
        remedy = handle_failure(scan, error)
        if remedy is FailureAction.AGAIN:
            if scan is self._scans.up:
                self._context.fallback = max(self._context.fallback, scan.fallback)
            return True
        scan.stop()
        if remedy is FailureAction.WITHOUT:
            if is_refused(error):
                self._context.backwards = False
            self._scans.give_up(scan)
        elif remedy is FailureAction.ABANDON_SPLIT:
            if scan.repository is not None:
                self._closing.check.refused.add(scan.repository)
            self._closing.abandon_split(f"{error.scope} cannot be listed alone: {error.message}")
        elif remedy is FailureAction.GONE and scan.repository is not None:
            self._closing.gone(scan.repository)
        elif remedy is FailureAction.FAILED:
            self._closing.failure = self._closing.failure or error
        return False

    def _end(self, scan: Scan) -> bool:
        """Take a chain out; its partner has nothing left to do if it came to the end alone."""
        self._asking.drop_ahead(scan)
        if scan.ended and scan.direction is Direction.ASCENDING:
            self._closing.ended(scan)
            if scan.partner is not None:
                scan.partner.stop()
        self._closing.list_repeated(scan)
        if scan.repository is not None and scan.last is None and not scan.stopped:
            self._closing.check.empty.add(scan.repository)
        self._scans.ended(scan)
        self._closing.settle()
        return False


class ScanTask:
    """The scheduler's view of a chain: one step is one page."""

    def __init__(self, listing: RegistryListing, scan: Scan) -> None:
        self._listing = listing
        self._scan = scan

    @property
    def priority(self) -> Priority:
        """Its place among the tasks that wait."""
        return Priority(Rank.LISTING, self._listing.pages_left(self._scan))

    @property
    def has_prefetched(self) -> bool:
        """Whether the chain's next page is asked for already."""
        return self._scan.ahead is not None

    async def run_one(self) -> bool:
        """Ask for the chain's next page."""
        return await self._listing.run_one(self._scan)
