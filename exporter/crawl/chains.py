"""The chains of one registry: how they begin, how they split it, and what ends the splitting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from exporter.api import Call
from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain, Mode
from exporter.crawl.context import Context
from exporter.crawl.replay import Replay
from exporter.crawl.scheduler import Job
from exporter.crawl.seam import pages_between

log = structlog.get_logger()

PATH = "/container-registry/v1/images"
MIN_PAGES_BEFORE_DOWN = 2.0
MIN_SECONDS_BEFORE_DOWN = 0.3
"""What a chain must be expected to have left before another comes to meet it: that may cost a call
more, and saves every second round trip."""
PAGES_AHEAD = 2.0
"""What a chain that others come to meet must have left to ask for the page after the next one."""
ALMOST_NONE = 2.0
"""Pages that a registry's own chain may have left when nothing more is claimed of it."""
WHOLE = ""
"""Stands in the journal where a claim is about the registry as a whole."""
ALONE = "alone"
"""Stands there for a repository that is listed by itself."""
AHEAD = "ahead"
"""Stands there for one that is, though the block has not come to it yet."""


class Chains:
    """Which chains of a registry are open, and what they rely on.

    `block` are the registry's repositories and which are claimed, `up` and `down` its own chains,
    where it has them; `trusted` says whether those may rely on claims. `job` is how a chain is
    queued.
    """

    def __init__(
        self, registry_id: str, context: Context, job: Callable[[ImagesChain], Job]
    ) -> None:
        self.block = Block()
        self.trusted = context.split and context.wanted.all_repositories
        self.open: set[ImagesChain] = set()
        self.up: ImagesChain | None = None
        self.down: ImagesChain | None = None
        self.replay = Replay(context.fetcher)
        self.registry_call = Call(
            "container_registry",
            PATH,
            (("registryId", registry_id),),
            f"images of registry {registry_id}",
        )
        self._registry_id = registry_id
        self._context = context
        self._job = job
        self.listed_again: Collection[str] = ()
        """The repositories as they were listed again."""
        self._alone: set[str] = set()  # Repositories that a chain was begun for.
        self._ahead: set[str] = set()  # Those of them that the block had not come to.
        self._claimed_before = context.keeper.claims().get(registry_id, [])

    @property
    def _page_size(self) -> int:
        """How many images to ask for: no more than an open chain is known to be given."""
        return min([self._context.page_size, *(chain.page_size for chain in self.open)])

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt has made claims."""
        return bool(self._claimed_before)

    def begin(self, mode: Mode, name: str | None = None, *, queue: bool = True) -> ImagesChain:
        """Open a chain; `name` is a repository's, None for the whole registry."""
        call = self.registry_call
        if name is not None:
            param = ("repositoryName", name)
            call = Call("container_registry", PATH, (param,), f"images of repository {name}")
            self._alone.add(name)
        context = self._context
        rung = context.rung if mode is Mode.UP else 0
        chain = ImagesChain(call, mode, name, self._page_size, rung)
        self.open.add(chain)
        self.replay.look(chain)
        if queue:
            context.queue(self._job(chain))
        return chain

    def begin_whole(self) -> None:
        """Open the registry's chain upwards, and make the claims of an earlier attempt again.

        Pages were cut on their account, so all of them have to be made, or none is relied on.
        """
        self.up = self.begin(Mode.UP)
        claimed = sorted(name for name, mode in self._claimed_before if mode == ALONE)
        if not all(name in self.block for name in claimed):
            log.warning(
                "split_given_up",
                registry_id=self._registry_id,
                reason="repositories that were listed alone before are not listed now",
            )
            self.trusted = False
            self.up.begin_plain()
            return
        if (WHOLE, Mode.DOWN.value) in self._claimed_before:
            self._meet(self.up, queue=True)
        ahead = {name for name, mode in self._claimed_before if mode == AHEAD}
        self.begin_alone(sorted(ahead))
        self._ahead |= ahead
        for name in claimed:
            self.claim(name)

    def begin_alone(self, names: Iterable[str]) -> None:
        """List repositories one by one, and from both ends where an earlier attempt did."""
        for name in names:
            if name in self._alone:
                continue
            chain = self.begin(Mode.UP, name)
            if (name, Mode.DOWN.value) in self._claimed_before:
                self._meet(chain, queue=True)

    def newcomers(self, names: Iterable[str]) -> list[str]:
        """Return the names that have come into the block since the repositories were listed."""
        return self.block.newcomers(names, to_the_end=self.down is None)

    def claim(self, name: str) -> None:
        """Extend the block to a name, and list alone what comes into it."""
        self.begin_alone(self._extend(name))
        self.begin_alone(self.newcomers(self.listed_again))

    def _extend(self, name: str) -> list[str]:
        claimed = self.block.claim(name)
        for one in claimed:
            self._context.keeper.claim(self._registry_id, one, ALONE)
            log.debug("listing_split", repository_name=one, how="listed alone")
        return claimed

    def claim_met(self, names: Iterable[str]) -> None:
        """Extend the block to what a chain of the registry meets of those listed ahead of it."""
        if self.trusted:
            for name in self._ahead.intersection(names):
                self.claim(name)

    def _meet(self, up: ImagesChain, *, queue: bool) -> ImagesChain:
        """Open the chain that comes to meet another from above."""
        self._context.keeper.claim(self._registry_id, up.repository or WHOLE, Mode.DOWN.value)
        log.debug(
            "listing_split",
            registry_id=self._registry_id,
            repository_name=up.repository,
            how="from both ends",
        )
        down = self.begin(Mode.DOWN, up.repository, queue=queue)
        down.partner, up.partner = up, down
        if up is self.up:
            self.down = down
        return down

    def pages_left(self, chain: ImagesChain) -> float:
        """Return how many pages a chain may have left."""
        if chain.repository is None:
            return self.block.pages_left(chain, chain.partner)
        if (sampled := self._pages_left_by_sample(chain)) > 0.0:
            return sampled
        # What has gone on for long tends to go on; two that meet have the same left.
        ahead = chain.partner if chain.mode is Mode.DOWN and chain.partner is not None else chain
        return ahead.pages + 1.0

    def _pages_left_by_sample(self, chain: ImagesChain) -> float:
        """Return the pages left of a repository's chain as far as a sample tells, or 0."""
        if chain.repository is None or self.up is None:
            return 0.0
        both = [chain] if chain.partner is None else [chain, chain.partner]
        pages = self.block.pages_of(chain.repository, self.up) - sum(one.pages for one in both)
        return max(pages / len(both), 0.0)

    def goes_on(self, chain: ImagesChain) -> bool:
        """Say whether a chain will want the page after the one that it waits for.

        What comes towards it may be met on that page. If not too many pages are left for that, it
        is not known.
        """
        partner = chain.partner
        if partner is None and (chain.repository is not None or not self.block):
            return True
        pages = pages_between(chain, partner) / 2 if partner is not None else 0.0
        if chain.repository is None:
            pages = pages or self.block.pages_left(chain, partner)
        return (pages or self._pages_left_by_sample(chain)) >= PAGES_AHEAD

    def _can_be_met(self, chain: ImagesChain) -> bool:
        if chain.mode is Mode.DOWN or chain.partner is not None or chain.done:
            return False
        if not (chain.by_name and chain.by_time and chain.last is not None):
            return False
        if chain.repository is None and self.block:
            return False  # What it would list is claimed.
        pages = self.pages_left(chain)
        return (
            self._context.backwards
            and pages >= MIN_PAGES_BEFORE_DOWN
            and pages * chain.page_seconds >= MIN_SECONDS_BEFORE_DOWN
        )

    def steal(self, *, claims: bool) -> Job | None:
        """Return a chain for a free slot: one to meet a long one, or a part of the registry.

        `claims` says whether repositories may be claimed, each of which may cost a call more.
        """
        if not self._context.split or self.replay:
            return None
        # What is known to be long goes first: it sets how long all of it takes.
        for chain in sorted(self.open, key=lambda one: (one is not self.up, -one.pages)):
            if self._can_be_met(chain):
                return self._job(self._meet(chain, queue=False))
        name = self._next_alone() if claims else None
        if name is None:
            return None
        chain = self.begin(Mode.UP, name, queue=False)
        if name in self._ahead and self._context.backwards:
            self._meet(chain, queue=True)  # It is known to be long, so no page has to show it.
        return self._job(chain)

    @property
    def _may_claim(self) -> bool:
        up, down = self.up, self.down
        if not self.trusted or up is None or not up.proven:
            return False
        return not up.done or (down is not None and not down.done)

    @property
    def wants_to_claim(self) -> bool:
        """Whether there is a repository that a free slot would be well used for."""
        up = self.up
        return self._may_claim and up is not None and self.block.next(up, self.down) is not None

    def _next_alone(self) -> str | None:
        """Claim a repository, or take a large one ahead of that; return the one to begin."""
        up, down = self.up, self.down
        if up is None or not self._may_claim:
            return None
        name = self.block.largest(up, down, self._ahead)
        if name is not None:
            self._context.keeper.claim(self._registry_id, name, AHEAD)
            log.debug("listing_split", repository_name=name, how="listed alone, ahead of others")
            self._ahead.add(name)
            return name
        while (name := self.block.next(up, down)) is not None:
            self._extend(name)
            if name not in self._ahead:
                return name
        return None

    @property
    def settled(self) -> bool:
        """Whether nothing more will be claimed, for the registry's own chains are almost done."""
        own = [chain for chain in self.open if chain.repository is None]
        almost_done = all(
            chain.last is not None and self.pages_left(chain) <= ALMOST_NONE for chain in own
        )
        # One that they still have to meet extends the block.
        return not own or (almost_done and all(map(self.block.claims, self._ahead)))

    def give_up(self, down: ImagesChain) -> None:
        """Go on without a chain from above; what it leaves behind the block is claimed as well."""
        down.stop()
        if down is self.down:
            self.down = None
            for name in self.block.above() if self.trusted else ():
                self.claim(name)

    def distrust(self, reason: str, *, failed: bool) -> None:
        """Rely on claims no more: the chain upwards lists everything, from the beginning if it did.

        So it is where the user's repositories were to be listed one by one, without such a chain.
        `failed` says whether the registry's listing has failed already.
        """
        self.trusted = False
        if not self.block and self.up is not None:
            return
        log.warning("split_given_up", registry_id=self._registry_id, reason=reason)
        up = self.up
        for chain in self.open:
            if chain is not up:
                chain.stop()
        if up is not None and up.partner is not None:
            # One that has ended was cut for the sake of claims: it is not to be met any more.
            up.partner.stop()
        self.down = None
        if up is None and not failed:
            self.up = self.begin(Mode.UP)
        if up is None or (up.stopped and failed) or not (up.met or up.stopped or up.relies):
            return
        if up in self.open:
            up.anew = True
        else:
            up.begin_plain()
            self.open.add(up)
            self._context.queue(self._job(up))
