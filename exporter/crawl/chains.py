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

log = structlog.get_logger()

PATH = "/container-registry/v1/images"
MIN_PAGES_BEFORE_DOWN = 2.0
MIN_SECONDS_BEFORE_DOWN = 0.3
"""What a chain must be expected to have left before another comes to meet it: that may cost a call
more, and saves every second round trip."""
WHOLE = ""
"""Stands in the journal where a claim is about the registry as a whole."""
ALONE = "alone"
"""Stands there for a repository that is listed by itself."""


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
        self._registry_id = registry_id
        self._context = context
        self._job = job

    def begin(self, mode: Mode, name: str | None = None, *, queue: bool = True) -> ImagesChain:
        """Open a chain; `name` is a repository's, None for the whole registry."""
        param = ("registryId", self._registry_id) if name is None else ("repositoryName", name)
        what = f"registry {self._registry_id}" if name is None else f"repository {name}"
        call = Call("container_registry", PATH, (param,), f"images of {what}")
        context = self._context
        rung = context.rung if mode is Mode.UP else 0
        chain = ImagesChain(call, mode, name, context.page_size, rung)
        self.open.add(chain)
        self.replay.look(chain)
        if queue:
            context.queue(self._job(chain))
        return chain

    def begin_whole(self, before: Collection[tuple[str, str]] = ()) -> None:
        """Open the registry's chain upwards, and make the claims of an earlier attempt again.

        Pages were cut on their account, so all of them have to be made.
        """
        self.up = self.begin(Mode.UP)
        if (WHOLE, Mode.DOWN.value) in before:
            self._meet(self.up, queue=True)
        for name in sorted(name for name, mode in before if mode == ALONE):
            self.begin_alone(self._claim(name), before)

    def begin_alone(self, names: Iterable[str], before: Collection[tuple[str, str]] = ()) -> None:
        """List repositories one by one, and from both ends where an earlier attempt did."""
        for name in names:
            chain = self.begin(Mode.UP, name)
            if (name, Mode.DOWN.value) in before:
                self._meet(chain, queue=True)

    def _claim(self, name: str) -> list[str]:
        """Extend the block to a name, and return the names that are to be listed alone."""
        claimed = self.block.claim(name)
        for one in claimed:
            self._context.keeper.claim(self._registry_id, one, ALONE)
            log.debug("listing_split", repository_name=one, how="listed alone")
        return claimed

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
        """Return how many pages a chain may have left; of two that meet, both the same."""
        if chain.mode is Mode.DOWN and chain.partner is not None:
            chain = chain.partner
        # What has gone on for long tends to go on.
        return chain.pages + 1.0 if chain.repository else self.block.pages_left(chain)

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
        if not self._context.split:
            return None
        # What is known to be long goes first: it sets how long all of it takes.
        for chain in sorted(self.open, key=lambda one: (one is not self.up, -one.pages)):
            if self._can_be_met(chain):
                return self._job(self._meet(chain, queue=False))
        name = self._next_claim() if claims else None
        if name is None:
            return None
        self._claim(name)
        return self._job(self.begin(Mode.UP, name, queue=False))

    def _next_claim(self) -> str | None:
        ends = [chain for chain in (self.up, self.down) if chain is not None]
        if not self.trusted or self.up is None or all(chain.done for chain in ends):
            return None
        return self.block.next(self.up, self.down) if self.up.proven else None

    def give_up(self, down: ImagesChain) -> None:
        """Go on without a chain from above; what it leaves behind the block is claimed as well."""
        down.stopped = True
        if down is self.down:
            self.down = None
            for name in self.block.above() if self.trusted else ():
                self.begin_alone(self._claim(name))

    def distrust(self, reason: str, *, failed: bool) -> None:
        """Rely on claims no more: the chain upwards lists everything, from the beginning if it did.

        `failed` says whether the registry's listing has failed already.
        """
        self.trusted = False
        if not self.block:
            return
        log.warning("split_given_up", registry_id=self._registry_id, reason=reason)
        for chain in self.open:
            if chain is not self.up:
                chain.stopped = True
        self.down = None
        up = self.up
        if up is None or (up.stopped and failed):
            return
        if up.met or up.stopped or up.relies:
            up.stopped = False
            up.restart(plain=True)
            self.open.add(up)
            self._context.queue(self._job(up))
