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
- *A claim comes first.* It is journalled before any page that is cut on its account, so that a run
  that is taken up again makes it again.
- *What is relied on comes first.* A page that was cut because another chain delivers the rest is
  handed over after that chain's page, and what an earlier attempt kept is replayed before any call.
- *Claims are one run* of the sorted list, between the places the two chains have come to.
- *Trust is lost for good.* An order that is not kept, or a repository that was not listed, makes
  the chain upwards a plain chain to the end; rows that come twice are dropped later by their key.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from functools import partial

import structlog

from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain, Mode
from exporter.crawl.chains import Chains
from exporter.crawl.context import Context, PageJob
from exporter.crawl.fetch import Decided, Dropped, Images, Seen
from exporter.crawl.ledger import Entry
from exporter.crawl.mending import Remedy, mend
from exporter.crawl.scheduler import Job
from exporter.crawl.seam import have_met, seam
from exporter.errors import ApiError, StatusError
from exporter.tables.images import Cut, Position
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
        self._chains = Chains(registry_id, context, lambda chain: PageJob(self, chain))
        self._listed: bool | None = None  # Whether the repository list is whole; None: not yet.
        self._left_out: set[str] = set()
        self._met: set[str] = set()  # Repositories on the pages of the registry's own chains.
        self._passed_over_asked = False
        self._failure: ApiError | None = None
        self._refreshed: bool | None = None  # Whether what the list names by now is known.
        self._claimed_before = context.keeper.claims().get(registry_id, [])

    def start(self) -> None:
        """Begin upwards, unless what to list first depends on the repositories."""
        if self._context.wanted.exact_repositories is None and not self._claimed_before:
            self._chains.begin_whole()

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Take the registry's repositories; `whole` if the list can be relied on."""
        wanted = self._context.wanted
        every = set(names)
        chosen = [name for name in every if wanted.repository(name)]
        self._left_out |= every - set(chosen)
        self._chains.block = Block(chosen)
        self._listed = whole
        if self._chains.trusted and any(name not in self._chains.block for name in self._met):
            self._distrust("repositories were met that are not listed")
        if wanted.exact_repositories is not None and whole:
            self._chains.begin_alone(sorted(chosen), self._claimed_before)
        elif self._chains.up is None:
            self._chains.begin_whole(self._claimed_before)
        self._settle()

    def repositories_refreshed(self, names: Iterable[str]) -> None:
        """List what has come into the block since the repositories were first listed."""
        self._refreshed = True
        self._chains.begin_alone(self._newcomers(names), self._claimed_before)
        self._settle()

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
        return bool(self._newcomers([name]))

    def _newcomers(self, names: Iterable[str]) -> list[str]:
        return self._chains.block.newcomers(names, to_the_end=self._chains.down is None)

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
        return self._chains.steal(claims=claims and bool(self._listed))

    async def step(self, chain: ImagesChain) -> bool:
        """Ask for a chain's next page; return True while there is more to ask."""
        await self._chains.replay.others(chain)
        partner = chain.partner
        if partner is not None and partner.met_partner and chain not in self._chains.replay:
            # The partner's cut was recalled: once this has come there, nothing is left.
            chain.stopped = chain.stopped or have_met(chain, partner)
        if chain.chain.call is None or chain.done:
            return self._end(chain)
        self._entry.begin()
        began = None if chain in self._chains.replay else time.monotonic()
        try:
            images = await self._context.fetcher.images(
                chain.chain.call,
                chain.attempt,
                self.parents,
                self._context.filter,
                partial(self._judge, chain),
                chain.check,
                chain.partner_handed_over,
                self.pages_left(chain),
            )
            chain.pages += 1
            if began is not None:
                chain.took(time.monotonic() - began)
            self._note(chain, images)
            chain.chain.advance(images.next_token, items=images.listed)
        except Dropped as dropped:
            self._entry.spent(dropped.calls)
        except ApiError as error:
            self._entry.spent(error.calls)
            if self._mend(chain, error):
                return True
        finally:
            chain.handed_over.set()
            self._chains.replay.look(chain)
        return self._end(chain) if chain.done else True

    def _note(self, chain: ImagesChain, images: Images) -> None:
        self._entry.page(calls=images.cost.calls)
        if chain.repository is None:
            self._met.update(images.names)
        wanted = self._context.filter
        if wanted is not None:
            self._left_out.update(name for name in images.names if not wanted(name))

    # What a page's order decides.

    def _judge(self, chain: ImagesChain, page: Seen, before: Decided | None) -> Cut | None:
        """Decide what to cut from a page; `before` if an earlier attempt has done so."""
        if chain.stopped:
            raise Dropped
        chain.take()
        chain.observe(page.order, page.names, page.listed)
        self._doubt(chain, page.names, fresh=before is None)
        block = self._chains.block if self._chains.trusted else None
        cut = before.cut if before else seam(chain, page.order, page.names, block)
        if cut is not None:
            chain.cut(cut)
        at_block = bool(block) and chain.repository is None
        if before is None and chain.met and chain.partner is not None and not at_block:
            chain.partner.stopped = True
        return cut

    def _doubt(self, chain: ImagesChain, names: tuple[str, ...], *, fresh: bool) -> None:
        """Look for a reason to trust neither the order nor the list of repositories."""
        if chain.mode is Mode.DOWN and fresh:
            self._doubt_descent(chain)
        if chain.repository is not None:
            return
        if self._chains.trusted and self._listed:
            strangers = [name for name in names if name not in self._chains.block]
            if strangers:
                self._distrust(f"repository {strangers[0]} has images, but is not listed")
        if chain is self._chains.up and not chain.by_name and chain.rung < 2:
            if self._chains.trusted:
                self._distrust("the order asked for is not the order that came")
            if self._chains.down is not None:
                self._chains.give_up(self._chains.down)

    def _doubt_descent(self, down: ImagesChain) -> None:
        """Believe a chain downwards if it falls, from behind where its partner has come.

        Where it meets what is claimed, it has to be proven.
        """
        in_order = down.by_name and down.by_time
        if not in_order:
            self._context.backwards = False
        up = down.partner.last if down.partner is not None else None
        begins = down.first if not down.pages else None
        early = up is not None and begins is not None and not _is_behind(begins, up)
        end = self._chains.block.last if down is self._chains.down else None
        at_end = end is not None and down.last is not None and down.last.name <= end
        if not in_order or early or (at_end and not down.proven):
            log.info("descent_not_believed", repository_name=down.repository, in_order=in_order)
            self._chains.give_up(down)
            raise Dropped

    def _distrust(self, reason: str) -> None:
        self._chains.distrust(reason, failed=self._failure is not None)

    # What goes wrong, and the end.

    def _mend(self, chain: ImagesChain, error: ApiError) -> bool:
        """Do what can be done about a failed call; return True if the chain goes on."""
        remedy = mend(chain, error)
        if remedy is Remedy.AGAIN:
            if chain is self._chains.up:
                self._context.rung = max(self._context.rung, chain.rung)
            return True
        chain.stopped = True
        if remedy is Remedy.WITHOUT:
            if isinstance(error, StatusError) and error.http_status == 400:
                self._context.backwards = False
            self._chains.give_up(chain)
        elif remedy is Remedy.DISTRUST and self._chains.up is not None:
            self._distrust(f"{error.scope} cannot be listed alone: {error.message}")
        elif remedy is not Remedy.DONE:
            self._failure = self._failure or error
        return False

    def _end(self, chain: ImagesChain) -> bool:
        """Take a chain out; its partner has nothing left to do if it came to the end alone."""
        self._chains.open.discard(chain)
        self._chains.replay.look(chain)
        partner = chain.partner
        alone = chain.mode is Mode.UP and chain.chain.call is None and not chain.relies
        if partner is not None and alone:
            partner.stopped = True
        self._settle()
        return False

    def _passed_over(self) -> list[str]:
        """Return, once, the listed repositories that chains which stopped at the block missed."""
        up = self._chains.up
        if self._passed_over_asked or not self._split or up is None:
            return []
        if not (up.met or up.stopped):  # It has come to its end, and has met everything.
            return []
        self._passed_over_asked = True
        return self._chains.block.passed_over(self._met)

    @property
    def _split(self) -> bool:
        """Whether repositories were claimed, and that was relied on to the end."""
        return self._chains.trusted and bool(self._chains.block)

    def _refresh(self) -> None:
        """Have the repositories listed again, once nothing more will be claimed."""
        own = {self._chains.up, self._chains.down} & self._chains.open
        if self._split and self._refreshed is None and not own and self._failure is None:
            self._refreshed = False
            self._context.refresh(self)

    def _settle(self) -> None:
        """End the registry's listing once no chain of it is open and nothing is awaited."""
        self._refresh()
        waits = self._refreshed is False or (
            self._listed is None
            and (self._chains.up is None or not self._context.wanted.all_repositories)
        )
        if self._chains.open or waits or self._entry.status is not None:
            return
        if self._failure is not None:
            self._entry.fail(self._failure)
        elif passed_over := self._passed_over():
            self._chains.begin_alone(passed_over, self._claimed_before)
        elif self._left_out:
            self._entry.skip(
                f"{len(self._left_out)} repositories are left out by scope.repositories"
            )
        elif self._split:
            block = self._chains.block
            self._entry.complete(
                f"repositories from {block.first} to {block.last} were listed one by one, as the "
                "repository list names them"
            )
        else:
            self._entry.complete()


def _is_behind(one: Position, other: Position) -> bool:
    """Say whether one place is really behind another."""
    if one.name != other.name:
        return one.name > other.name
    return one.at is not None and other.at is not None and one.at > other.at
