"""The chains of one registry: how they begin, how they split it, and what ends the splitting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from exporter.api import Call
from exporter.crawl.block import Block
from exporter.crawl.chain import ImagesChain
from exporter.crawl.context import Context
from exporter.crawl.ordering import Mode, ladder
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
ALMOST_NONE = 2
"""Chains that may be open when the list of a split registry's repositories is read again."""
MOST_KNOWN = 50_000
"""Ids that are remembered of a registry's own chains; what is listed of others comes twice."""
WHOLE = ""
"""Stands in the journal where a claim is about the registry as a whole."""
ALONE = "alone"
"""Stands there for a registry whose repositories are listed one by one."""


class Chains:
    """Which chains of a registry are open, and what they rely on.

    `block` are the registry's repositories, `up` and `down` its own chains, where it has them;
    `alone` says whether its repositories are listed one by one, and `trusted` whether they may be.
    `job` is how a chain is queued.
    """

    def __init__(
        self, registry_id: str, context: Context, job: Callable[[ImagesChain], Job]
    ) -> None:
        self.block = Block()
        self.trusted = context.split and context.wanted.all_repositories
        self.alone = False
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
        self._known: set[str] = set()
        self._begun: set[str] = set()  # Repositories that a chain was begun for.
        self._claimed_before = context.keeper.claims().get(registry_id, [])

    @property
    def _page_size(self) -> int:
        """How many images to ask for: no more than an open chain is known to be given."""
        return min([self._context.page_size, *(chain.page_size for chain in self.open)])

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt has made claims."""
        return bool(self._claimed_before)

    def begin(
        self, mode: Mode, name: str | None = None, *, queue: bool = True, reading: int = 0
    ) -> ImagesChain:
        """Open a chain; `name` is a repository's, None for the whole registry."""
        call = self.registry_call
        if name is not None:
            param = ("repositoryName", name)
            call = Call("container_registry", PATH, (param,), f"images of repository {name}")
            self._begun.add(name)
        context = self._context
        rung = context.rung if mode is Mode.UP and not reading else 0
        # What was kept was begun with as many as may be asked for, or with half of that, and so on.
        page_size = context.page_size if self.resumes else self._page_size
        chain = ImagesChain(call, mode, name, page_size, rung, reading)
        self._find_kept(chain, rung)
        self.open.add(chain)
        self.replay.look(chain)
        if chain not in self.replay:
            chain.resize(self._page_size)
        if queue:
            context.queue(self._job(chain))
        return chain

    def _find_kept(self, chain: ImagesChain, rung: int) -> None:
        """Have a chain begin with the order whose pages an earlier attempt has kept.

        What was listed otherwise was cut on their account.
        """
        if not self.resumes:
            return
        # The first order may have been another one, or was gone down to from there.
        for first in range(len(ladder(chain.mode, chain.repository, chain.reading))):
            chain.begin_with(first)
            while chain.chain.call is not None:
                if self._context.fetcher.is_kept(chain.chain.call, chain.attempt):
                    return
                if not chain.descend():
                    break
        chain.begin_with(rung)

    def begin_whole(self, *, may_split: bool) -> None:
        """Open the registry's chain upwards, and do what an earlier attempt has claimed again.

        `may_split` says whether the list of repositories is here, and all of it.
        """
        self.up = self.begin(Mode.UP)
        # What the registry's own chains have listed is taken up first.
        self.alone = may_split and self.trusted and (WHOLE, ALONE) in self._claimed_before
        if (WHOLE, Mode.DOWN.value) in self._claimed_before:
            self._meet(self.up, queue=True)

    def begin_alone(self, names: Iterable[str]) -> None:
        """List repositories one by one, and from both ends where an earlier attempt did."""
        for name in names:
            if name in self._begun:
                continue
            chain = self.begin(Mode.UP, name)
            met_before = (name, Mode.DOWN.value) in self._claimed_before
            large = self.up is not None and self.block.is_large(name, self.up)
            if met_before or (large and self._context.backwards and self.alone):
                self._meet(chain, queue=True)

    def has_begun(self, name: str) -> bool:
        """Say whether a chain was begun for a repository."""
        return name in self._begun

    def split(self) -> None:
        """List all repositories one by one instead of going on with the registry's own chains."""
        self._context.keeper.claim(self._registry_id, WHOLE, ALONE)
        log.debug("listing_split", registry_id=self._registry_id, how="by repository")
        self.alone = True
        for chain in (self.up, self.down):
            if chain is not None:
                chain.stop()

    def ended(self, chain: ImagesChain) -> None:
        """Take a chain out; after the last one of the registry's own, its parts are begun."""
        self.open.discard(chain)
        self.replay.look(chain)
        own = chain.repository is None and not chain.reading
        if self.alone and own and all(one.repository is not None for one in self.open):
            self.begin_alone(self.block.names)

    def note(self, chain: ImagesChain, ids: Iterable[str]) -> None:
        """Remember what one of the registry's own chains has listed, as long as it can be taken up.

        Pages that it has asked for a second time are not found again after a stop.
        """
        first = not (chain.reading or chain.relists)
        if chain.repository is None and first and len(self._known) < MOST_KNOWN:
            self._known.update(ids)

    def has(self, ids: Collection[str]) -> bool:
        """Say whether the registry's own chains have listed images that were cut elsewhere."""
        return self._known.issuperset(ids)

    def known(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return which images the registry's own chains have listed before it was split."""
        return tuple(one for one in ids if one in self._known) if self.alone else ()

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
        if partner is None:
            return chain.repository is not None or not self.alone
        pages = pages_between(chain, partner) / 2
        if chain.repository is None:
            pages = pages or self.block.pages_left(chain, partner)
        return (pages or self._pages_left_by_sample(chain)) >= PAGES_AHEAD

    def _can_be_met(self, chain: ImagesChain) -> bool:
        if chain.mode is Mode.DOWN or chain.partner is not None or chain.done:
            return False
        if not (chain.in_order and chain.last is not None):
            return False
        if chain.repository is None and self.alone:
            return False
        pages = self.pages_left(chain)
        return (
            self._context.backwards
            and pages >= MIN_PAGES_BEFORE_DOWN
            and pages * chain.page_seconds >= MIN_SECONDS_BEFORE_DOWN
        )

    def steal(self, *, whole: bool) -> Job | None:
        """Return a chain for a free slot, one to meet a long one; the registry's own if `whole`."""
        if not self._context.split or self.replay:
            return None
        # What is known to be long goes first: it sets how long all of it takes.
        for chain in sorted(self.open, key=lambda one: (one is not self.up, -one.pages)):
            if (whole or chain is not self.up) and self._can_be_met(chain):
                return self._job(self._meet(chain, queue=False))
        return None

    @property
    def wants_to_split(self) -> bool:
        """Whether free slots would be well used by listing the repositories one by one."""
        up, down = self.up, self.down
        if not (self.trusted and self._context.split) or self.alone or self.replay:
            return False
        if up is None or up.done or up.reading:
            return False
        return self.block.is_worth_it(up, down)

    @property
    def settled(self) -> bool:
        """Whether almost all of a split registry is listed."""
        begun = not any(chain.repository is None for chain in self.open)
        return begun and len(self.open) <= ALMOST_NONE

    def give_up(self, down: ImagesChain) -> None:
        """Go on without a chain from above."""
        down.stop()
        if down is self.down:
            self.down = None

    def distrust(self, reason: str, *, failed: bool) -> bool:
        """List repositories one by one no more: the chain upwards lists everything anew.

        So it is where the user's repositories were to be listed one by one, without such a chain.
        `failed` says whether the registry's listing has failed already. Return False where nothing
        was listed one by one, so that the chain upwards goes on as it is.
        """
        self.trusted = False
        if not self.alone and self.up is not None:
            return False
        log.warning("split_given_up", registry_id=self._registry_id, reason=reason)
        self.alone = False
        for chain in self.open:
            chain.stop()
        self.down = None
        if not failed:
            self.anew()
        return True

    def anew(self) -> None:
        """List the whole registry from the beginning, in no order."""
        up = self.up
        if up is None:
            self.up = self.begin(Mode.UP)
            return
        up.partner = None
        if up in self.open:
            up.anew = True
        else:
            up.begin_anew()
            self.open.add(up)
            self._context.queue(self._job(up))
