"""One registry's images: a chain from the front, and what free slots steal from its tail.

Invariants, which the tests hold:

- *Every image is covered.* The front stops at a claimed repository only while every page kept the
  promised order and named only listed repositories, and only because every listed repository from
  there on is claimed, each by a chain of its own. A listed repository before there that it has not
  met is empty, or the server sorts otherwise than by bytes: once the front has stopped, those are
  listed alone.
- *A cut ends a chain.* Rows are cut from a page only where they belong to a claimed repository or
  to the other end of the same one, and the chain that was cut asks for nothing after it.
- *A claim comes first.* It is journalled before any page that is cut on its account, so that a run
  that is taken up again makes it again.
- *What is relied on comes first.* A page that was cut because another chain delivers the rest is
  handed over after that chain's page, and what an earlier attempt kept is replayed before any call.
- *Claims are a tail.* The next repository claimed is the last unclaimed one, and lies behind the
  last name the front has seen.
- *Trust is lost for good.* An order that is not kept, or a repository that was not listed, makes
  the front a plain chain to the end; rows that come twice are dropped later by their key.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import structlog

from exporter.crawl.chain import ImagesChain, Mode, have_met, seam
from exporter.crawl.chains import Chains
from exporter.crawl.context import Context, PageJob
from exporter.crawl.fetch import Dropped, Images
from exporter.crawl.ledger import Entry
from exporter.crawl.mending import Remedy, mend
from exporter.crawl.scheduler import Job
from exporter.crawl.tail import Tail
from exporter.errors import ApiError, StatusError
from exporter.tables.images import Cut, Order
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
        self._met: set[str] = set()  # Repositories on the front's pages.
        self._passed_over_asked = False
        self._failure: ApiError | None = None
        self._refreshed = False
        self._claimed_before = context.keeper.claims().get(registry_id, [])

    def start(self) -> None:
        """Begin from the front, unless what to list first depends on the repositories."""
        if self._context.wanted.exact_repositories is None and not self._claimed_before:
            self._chains.front = self._chains.begin(Mode.FRONT)

    def repositories_listed(self, names: Iterable[str], *, whole: bool) -> None:
        """Take the registry's repositories; `whole` if the list can be relied on."""
        wanted = self._context.wanted
        every = set(names)
        chosen = [name for name in every if wanted.repository(name)]
        self._left_out |= every - set(chosen)
        self._chains.tail = Tail(chosen)
        self._listed = whole
        if self._chains.trusted and any(name not in self._chains.tail for name in self._met):
            self._distrust("the front met repositories that are not listed")
        if wanted.exact_repositories is not None and whole:
            for name in sorted(chosen):
                self._chains.begin(Mode.ALONE, name)
        elif self._chains.front is None:
            self._chains.front = self._chains.begin(Mode.FRONT)
            self._chains.claim_again(self._claimed_before)
        self._settle()

    def repositories_refreshed(self, names: Iterable[str]) -> None:
        """List what has come behind the boundary since the repositories were first listed."""
        for name in self._chains.tail.newcomers(names):
            self._chains.begin(Mode.ALONE, name)
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
        """Say whether a repository was created behind the boundary since they were listed."""
        return bool(self._chains.tail.newcomers([name]))

    def pages_left(self, chain: ImagesChain) -> float:
        """Return how many pages a chain may still take, for the order of work."""
        if chain in self._chains.replay:
            return math.inf
        if chain is self._chains.front and self._expected is not None:
            return max(self._expected - chain.pages, 1.0)
        # What has gone on for long tends to go on.
        return chain.pages + 1.0

    def steal(self) -> Job | None:
        """Return a chain for a free slot, if this registry is worth splitting further."""
        return self._chains.steal(listed=bool(self._listed))

    async def step(self, chain: ImagesChain) -> bool:
        """Ask for a chain's next page; return True while there is more to ask."""
        await self._chains.replay.others(chain)
        if chain.chain.call is None or chain.done:
            return self._end(chain)
        self._entry.begin()
        try:
            images = await self._context.fetcher.images(
                chain.chain.call,
                chain.attempt,
                self.parents,
                self._context.filter,
                lambda order, names, cut: self._judge(chain, order, names, cut),
                chain.check,
                chain.partner_handed_over,
            )
            chain.pages += 1
            chain.images += images.listed
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
        self._entry.page(rows=images.rows, calls=images.cost.calls)
        if chain is self._chains.front:
            self._met.update(images.names)
        wanted = self._context.filter
        if wanted is not None:
            self._left_out.update(name for name in images.names if not wanted(name))

    # What a page's order decides.

    def _judge(
        self, chain: ImagesChain, order: Order, names: tuple[str, ...], cut: Cut | None
    ) -> Cut | None:
        """Decide what to cut from a page that arrived; `cut` if it was decided before."""
        if chain.stopped:
            raise Dropped
        chain.take()
        chain.observe(order)
        if cut is None:
            self._doubt(chain, names)
            cut = seam(chain, order, self._chains.tail.boundary if self._chains.trusted else None)
        if cut is not None:
            chain.cut(cut)
        passed = cut is not None and cut.names_before and not cut.created_until
        if chain.partner is not None and (passed or have_met(chain, chain.partner)):
            chain.met = True
            chain.partner.stopped = True
        return cut

    def _doubt(self, chain: ImagesChain, names: tuple[str, ...]) -> None:
        """Look for a reason to trust neither the order nor the list of repositories."""
        if chain.mode is Mode.FRONT and self._chains.trusted and self._listed:
            strangers = [name for name in names if name not in self._chains.tail]
            if strangers:
                self._distrust(f"repository {strangers[0]} has images, but is not listed")
            elif not chain.by_name and chain.rung < 2:
                self._distrust("the order asked for is not the order that came")
        if chain.mode is Mode.BACK and not chain.by_time:
            self._context.backwards = False
            log.info("order_not_kept", repository_name=chain.repository, order_by="created_at desc")
            chain.stopped = True
            raise Dropped

    def _distrust(self, reason: str) -> None:
        self._chains.distrust(reason, failed=self._failure is not None)

    # What goes wrong, and the end.

    def _mend(self, chain: ImagesChain, error: ApiError) -> bool:
        """Do what can be done about a failed call; return True if the chain goes on."""
        remedy = mend(chain, error)
        if remedy is Remedy.AGAIN:
            if chain.mode is Mode.FRONT:
                self._context.rung = max(self._context.rung, chain.rung)
            return True
        chain.stopped = True
        if chain.mode is Mode.BACK and isinstance(error, StatusError) and error.http_status == 400:
            self._context.backwards = False
        if remedy is Remedy.DISTRUST and self._chains.front is not None:
            self._distrust(f"{error.scope} cannot be listed alone: {error.message}")
        elif remedy is not Remedy.DONE:
            self._failure = self._failure or error
        return False

    def _end(self, chain: ImagesChain) -> bool:
        """Take a chain out; its partner has nothing left to do if it came to the end alone."""
        self._chains.open.discard(chain)
        self._chains.replay.look(chain)
        partner = chain.partner
        alone = chain.mode is not Mode.BACK and chain.chain.call is None and not chain.relies
        if partner is not None and alone:
            partner.stopped = True
        self._settle()
        return False

    def _passed_over(self) -> list[str]:
        """Return, once, the listed repositories that a front which stopped has not met."""
        front = self._chains.front
        if self._passed_over_asked or not self._chains.trusted or front is None:
            return []
        if not (front.met or front.stopped):  # It has come to its end, and has met everything.
            return []
        self._passed_over_asked = True
        return self._chains.tail.passed_over(self._met)

    @property
    def _split(self) -> bool:
        """Whether repositories were claimed, and the front relied on that to the end."""
        return self._chains.trusted and self._chains.tail.boundary is not None

    def _settle(self) -> None:
        """End the registry's listing once no chain of it is open and nothing is awaited."""
        waits = self._listed is None and (
            self._chains.front is None or not self._context.wanted.all_repositories
        )
        if self._chains.open or waits or self._entry.status is not None:
            return
        if self._failure is not None:
            self._entry.fail(self._failure)
        elif passed_over := self._passed_over():
            for name in passed_over:
                self._chains.begin(Mode.ALONE, name)
        elif self._split and not self._refreshed:
            self._refreshed = True
            self._context.refresh(self)
        elif self._left_out:
            self._entry.skip(
                f"{len(self._left_out)} repositories are left out by scope.repositories"
            )
        elif self._split:
            self._entry.complete(
                f"repositories from {self._chains.tail.boundary} on were listed one by one, as the "
                "repository list names them"
            )
        else:
            self._entry.complete()
