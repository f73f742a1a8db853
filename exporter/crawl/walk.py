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
  (`seam`). If one image stands out of its place, the chain upwards goes on to its end alone. This
  relies on a reverse order that is the reverse: an image that has a place of its own in each may be
  read by neither, and no client can tell that from one that is not there.
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

What comes and goes while a listing runs is not missing (`API.md`): images pushed before the place a
chain has come to move others to its next page, where they come again in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial

import structlog

from exporter.crawl.asking import Asking
from exporter.crawl.block import Block, listable
from exporter.crawl.chain import ImagesChain
from exporter.crawl.chains import Chains
from exporter.crawl.closing import Closing
from exporter.crawl.context import Context, PageJob
from exporter.crawl.ledger import Entry
from exporter.crawl.mending import Remedy, mend
from exporter.crawl.ordering import Mode
from exporter.crawl.pages import Decided, Dropped, Images, Seen
from exporter.crawl.scheduler import Job
from exporter.crawl.seam import have_passed, is_believed, seam
from exporter.errors import ApiError, is_refused
from exporter.tables.order import Cut
from exporter.tables.resources import Parents

log = structlog.get_logger()


class Walk:
    """The images of one registry; `expected_pages` is what an earlier snapshot lets expect."""

    def __init__(
        self,
        registry_id: str,
        parents: Parents,
        entry: Entry,
        context: Context,
        expected_pages: float | None = None,
    ) -> None:
        self.registry_id = registry_id
        self.parents = parents
        self._entry = entry
        self._context = context
        self._expected = expected_pages
        job = partial(PageJob, self)
        self._chains = Chains(registry_id, context, job)
        self._asking = Asking(parents, entry, context, self._chains, job)
        self._closing = Closing(self._chains, entry, context, partial(context.refresh, self))

    def start(self) -> None:
        """Begin upwards, unless what to list first depends on the repositories."""
        if self._context.wanted.exact_repositories is None and not self._chains.resumes:
            self._chains.begin_whole(may_split=False)

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Take the registry's repositories; `whole` if the list can be relied on."""
        wanted, closing = self._context.wanted, self._closing
        every = set(names)
        wanted.patterns.see(sorted(every))
        chosen = [name for name in every if wanted.repository(name)]
        closing.left_out |= every - set(chosen)
        closing.listed = whole
        self._chains.block = Block(chosen, self._context.slots)
        if self._chains.trusted and self._chains.block.strangers(closing.met):
            closing.distrust("repositories were met that are not listed")
        exact = wanted.named_in(self.registry_id, chosen)
        if whole and exact is not None and all(map(listable, exact)):
            self._chains.begin_alone(sorted(exact))
        elif self._chains.up is None:
            self._chains.begin_whole(may_split=whole)
        if closing.split:
            closing.call_witness()
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
        return max((self.pages_left(chain) for chain in self._chains.open), default=0.0)

    def is_newcomer(self, name: str) -> bool:
        """Say whether a repository was created since they were listed."""
        return bool(self._chains.block.strangers([name]))

    def pages_left(self, chain: ImagesChain) -> float:
        """Return how many pages a chain may still take, for the order of work."""
        if chain in self._chains.replay:
            return math.inf
        if chain is self._chains.up and self._expected is not None:
            return max(self._expected - chain.pages, 1.0)
        return max(self._chains.pages_left(chain), 1.0)

    def steal(self, *, claims: bool) -> Job | None:
        """Return a chain for a free slot, if this registry is worth splitting further.

        `claims` says whether that may cost more calls than one.
        """
        closing = self._closing
        claims = claims and bool(closing.listed)
        if claims and self._chains.wants_to_split:
            closing.call_witness()
            if closing.may_split:
                self._chains.split()
                return None
        return self._chains.steal(whole=not closing.awaits_witness)

    async def step(self, chain: ImagesChain) -> bool:
        """Ask for a chain's next page; return True while there is more to ask."""
        try:
            return await self._page(chain)
        except BaseException:
            self._asking.drop_ahead(chain)
            raise

    async def _page(self, chain: ImagesChain) -> bool:
        await self._chains.replay.others(chain)
        if chain.anew:
            chain.begin_anew()
        if self._is_over(chain) and chain not in self._chains.replay:
            chain.stopped = True
        if chain.chain.call is None or chain.done:
            return self._end(chain)
        self._entry.begin()
        chain.asked = self._asking.page(chain, chain.chain.call)
        try:
            images = await self._context.fetcher.images(
                chain.asked, partial(self._judge, chain), chain.partner_handed_over
            )
            chain.pages += 1
            self._note(chain, images)
            chain.chain.advance(images.next_token, items=images.listed, sketch=images.sketch)
            self._closing.read_again()
        except Dropped as dropped:
            self._entry.spent(dropped.calls)
        except ApiError as error:
            self._entry.spent(error.calls)
            if not chain.anew and self._mend(chain, error):
                return True
        finally:
            chain.asked = None
            chain.handed_over.set()
            self._chains.replay.look(chain)
        return self._end(chain) if chain.done else True

    def _is_over(self, chain: ImagesChain) -> bool:
        """Say whether an earlier attempt ended a chain where it has come to, without a page.

        It has not where the pages that its partner has met are not those that were replayed.
        """
        if chain.repository is None and self._chains.alone:
            return True
        partner = chain.partner
        return partner is not None and partner.met and have_passed(chain, partner)

    def _note(self, chain: ImagesChain, images: Images) -> None:
        self._chains.note(chain, images.ids)
        self._entry.page(calls=images.cost.calls, items=images.listed)
        self._entry.lose(images.lost)
        if chain.repository is None:
            self._closing.met.update(name for name, kept in images.names.items() if kept)
        wanted = self._context.filter
        if wanted is not None:
            self._context.wanted.patterns.see(images.names)
            self._closing.left_out.update(name for name in images.names if not wanted(name))

    # What a page's order decides.

    def _judge(self, chain: ImagesChain, page: Seen, before: Decided | None) -> Cut | None:
        """Decide what to cut from a page; `before` if an earlier attempt has done so."""
        if chain.stopped or chain.anew:
            raise Dropped
        chain.take()
        chain.observe(page)
        if page.seconds is not None:
            chain.took(page.seconds)
        self._doubt(chain, page.names, fresh=before is None)
        if before is not None:
            cut = before.cut
            if cut is not None and chain.partner is None and not self._chains.has(cut.but_not):
                chain.anew = True
                raise Dropped
        else:
            cut = seam(chain, page.ids)
            known = self._chains.known(page.ids) if chain.repository is not None else ()
            if known:
                cut = Cut(known) if cut is None else Cut((*cut.but_not, *known), cut.last)
        if cut is not None:
            chain.cut(cut)
        if before is None and chain.met and chain.partner is not None:
            chain.partner.stop()
        return cut

    def _doubt(self, chain: ImagesChain, names: tuple[str, ...], *, fresh: bool) -> None:
        """Look for a reason to trust neither the order nor the list of repositories."""
        if chain.mode is Mode.DOWN and fresh:
            self._doubt_descent(chain)
        partner = chain.partner
        if chain.mode is Mode.UP and partner is not None and not chain.in_order:
            self._chains.give_up(partner)
        if chain.repository is None and self._chains.trusted and self._closing.listed:
            strangers = self._chains.block.strangers(names)
            if strangers:
                self._closing.distrust(f"repository {strangers[0]} has images, but is not listed")

    def _doubt_descent(self, down: ImagesChain) -> None:
        if is_believed(down):
            return
        if not down.in_order:
            self._context.backwards = False
        log.info("descent_not_believed", repository_name=down.repository, in_order=down.in_order)
        self._chains.give_up(down)
        raise Dropped

    # What goes wrong, and the end.

    def _mend(self, chain: ImagesChain, error: ApiError) -> bool:
        """Do what can be done about a failed call; return True if the chain goes on."""
        remedy = mend(chain, error)
        if remedy is Remedy.AGAIN:
            if chain is self._chains.up:
                self._context.rung = max(self._context.rung, chain.rung)
            return True
        chain.stop()
        if remedy is Remedy.WITHOUT:
            if is_refused(error):
                self._context.backwards = False
            self._chains.give_up(chain)
        elif remedy is Remedy.DISTRUST:
            if chain.repository is not None:
                self._closing.evidence.refused.add(chain.repository)
            self._closing.distrust(f"{error.scope} cannot be listed alone: {error.message}")
        elif remedy is Remedy.GONE and chain.repository is not None:
            self._closing.gone(chain.repository)
        elif remedy is Remedy.FAILED:
            self._closing.failure = self._closing.failure or error
        return False

    def _end(self, chain: ImagesChain) -> bool:
        """Take a chain out; its partner has nothing left to do if it came to the end alone."""
        self._asking.drop_ahead(chain)
        if chain.ended and chain.mode is Mode.UP:
            self._closing.ended(chain)
            if chain.partner is not None:
                chain.partner.stop()
        self._closing.list_seams(chain)
        if chain.repository is not None and chain.last is None and not chain.stopped:
            self._closing.evidence.empty.add(chain.repository)
        self._chains.ended(chain)
        self._closing.settle()
        return False
