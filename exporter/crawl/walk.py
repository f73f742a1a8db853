"""One registry's images: its chains from both ends, and what free slots claim between them.

Invariants, which the tests hold:

- *Every image is covered.* A chain upwards and one downwards, of the registry or of one repository,
  stop only where a page of one shows a repository that the other has been in, and in it only where
  their times have passed each other (`seam`). They stop at a claimed repository only while every
  page kept the promised order and named only listed repositories, and only because every listed
  repository in the block is claimed, each by a chain of its own. A listed repository outside it
  that neither has met is empty, or the server sorts otherwise than by bytes: once both have
  stopped, those are listed alone.
- *An order is believed once it is proven*: by some images, and a chain downwards only if it begins
  behind the place that the one upwards has come to.
- *A cut ends a chain.* Rows are cut from a page only where they belong to a claimed repository or
  to the other end, and the chain that was cut asks for nothing after it.
- *A chain's pages are dealt with in turn.* The next one may be asked for as soon as a body shows
  its token, but is judged and handed over after the one in hand; where that was the last wanted,
  or turns out to have another token, what was asked for ahead is given up.
- *A claim comes first.* It is journalled before any page that is cut on its account, so that a run
  that is taken up again makes it again.
- *What is relied on comes first.* A page that was cut because another chain delivers the rest is
  handed over after that chain's page, and what an earlier attempt kept is replayed before any call.
- *Claims are one run* of the sorted list, between the places the two chains have come to. A large
  repository may be listed before that run comes to it; a chain that comes to it first extends the
  run to there, and stops.
- *Trust is lost for good.* An order that is not kept, a repository that was not listed, or one that
  is listed and yet cannot be listed alone, makes the chain upwards a plain chain to the end; rows
  that come twice are dropped later by their key. Nothing is claimed before a witness has spoken for
  it (`witness`), and what an earlier attempt claimed is not relied on to the end without one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial

import structlog

from exporter.crawl.asking import Asking
from exporter.crawl.block import Block, listable
from exporter.crawl.chain import ImagesChain, Mode
from exporter.crawl.chains import Chains
from exporter.crawl.closing import Closing
from exporter.crawl.context import Context, PageJob
from exporter.crawl.ledger import Entry
from exporter.crawl.mending import Remedy, mend
from exporter.crawl.pages import Decided, Dropped, Images, Seen
from exporter.crawl.scheduler import Job
from exporter.crawl.seam import have_met, is_believed, seam
from exporter.errors import ApiError, StatusError
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
            self._chains.begin_whole()

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Take the registry's repositories; `whole` if the list can be relied on."""
        wanted, closing = self._context.wanted, self._closing
        every = set(names)
        wanted.patterns.see(sorted(every))
        chosen = [name for name in every if wanted.repository(name)]
        closing.left_out |= every - set(chosen)
        closing.listed = whole
        self._chains.block = Block(chosen, self._context.slots)
        if self._chains.trusted and any(name not in self._chains.block for name in closing.met):
            closing.distrust("repositories were met that are not listed")
        exact = wanted.named_in(self.registry_id, chosen)
        if whole and exact is not None and all(map(listable, exact)):
            self._chains.begin_alone(sorted(exact))
        elif self._chains.up is None:
            self._chains.begin_whole()
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
        """Say whether a repository has come into the block since they were listed."""
        return bool(self._chains.newcomers([name]))

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
        job = self._chains.steal(claims=claims and closing.may_claim)
        if job is None and claims and self._chains.wants_to_claim:
            closing.call_witness()
        return job

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
            chain.begin_plain()
        partner = chain.partner
        if partner is not None and partner.met_partner and chain not in self._chains.replay:
            # The partner's cut was recalled: once this has come there, nothing is left.
            chain.stopped = chain.stopped or have_met(chain, partner)
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

    def _note(self, chain: ImagesChain, images: Images) -> None:
        self._entry.page(calls=images.cost.calls, items=images.listed)
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
        chain.observe(page.order, page.names, page.listed)
        if page.seconds is not None:
            chain.took(page.seconds)
        if chain.repository is None and before is None:
            self._chains.claim_met(page.names)
        self._doubt(chain, page.names, fresh=before is None)
        if before is not None and before.cut is not None and self._is_left_alone(chain):
            chain.anew = True
            raise Dropped
        block = self._chains.block if self._chains.trusted else None
        cut = before.cut if before else seam(chain, page.order, page.names, block)
        if cut is not None:
            chain.cut(cut)
        at_block = bool(block) and chain.repository is None
        if before is None and chain.met and chain.partner is not None and not at_block:
            chain.partner.stop()
        return cut

    def _is_left_alone(self, chain: ImagesChain) -> bool:
        """Say whether what the registry's chain was cut for is delivered by no other any more."""
        relied = bool(self._chains.block)
        return chain is self._chains.up and relied and not self._chains.trusted

    def _doubt(self, chain: ImagesChain, names: tuple[str, ...], *, fresh: bool) -> None:
        """Look for a reason to trust neither the order nor the list of repositories."""
        if chain.mode is Mode.DOWN and fresh:
            self._doubt_descent(chain)
        if chain.repository is not None:
            return
        if self._chains.trusted and self._closing.listed:
            strangers = [name for name in names if name not in self._chains.block]
            if strangers:
                self._closing.distrust(f"repository {strangers[0]} has images, but is not listed")
        if chain is self._chains.up and not chain.by_name:
            # Of a chain that was never promised an order, nothing is expected but by the claims.
            if self._chains.trusted and (self._chains.block or chain.promises_order):
                self._closing.distrust("the order asked for is not the order that came")
            if self._chains.down is not None:
                self._chains.give_up(self._chains.down)

    def _doubt_descent(self, down: ImagesChain) -> None:
        end = self._chains.block.last if down is self._chains.down else None
        if is_believed(down, end):
            return
        in_order = down.by_name and down.by_time
        if not in_order:
            self._context.backwards = False
        log.info("descent_not_believed", repository_name=down.repository, in_order=in_order)
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
            if isinstance(error, StatusError) and error.http_status == 400:
                self._context.backwards = False
            self._chains.give_up(chain)
        elif remedy is Remedy.DISTRUST:
            self._closing.distrust(f"{error.scope} cannot be listed alone: {error.message}")
        elif remedy is Remedy.GONE and chain.repository is not None:
            self._closing.gone(chain.repository)
        elif remedy is Remedy.FAILED:
            self._closing.failure = self._closing.failure or error
        return False

    def _end(self, chain: ImagesChain) -> bool:
        """Take a chain out; its partner has nothing left to do if it came to the end alone."""
        self._asking.drop_ahead(chain)
        self._chains.open.discard(chain)
        self._chains.replay.look(chain)
        if chain.repository is not None and chain.last is None and not chain.stopped:
            self._closing.evidence.empty.add(chain.repository)
        partner = chain.partner
        alone = chain.mode is Mode.UP and chain.chain.call is None
        if partner is not None and alone and not (chain.met or chain.relies):
            partner.stop()
        self._closing.settle()
        return False
