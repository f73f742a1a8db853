"""The chains of one registry: how they begin, how they split it, and what ends the splitting."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from exporter.api import Call
from exporter.crawl.chain import ImagesChain, Mode
from exporter.crawl.context import Context
from exporter.crawl.replay import Replay
from exporter.crawl.scheduler import Job
from exporter.crawl.tail import Tail

log = structlog.get_logger()

PATH = "/container-registry/v1/images"
MIN_PAGES_BEFORE_BACK = 2
MIN_IMAGES_BEFORE_BACK = 2000
"""What shows a repository to be long, before it is also walked from its back."""


class Chains:
    """Which chains of a registry are open, and what they rely on.

    `tail` are the registry's repositories, `front` its chain from the front, if it has one,
    `trusted` says whether the front may rely on claims. `job` is how a chain is queued.
    """

    def __init__(
        self, registry_id: str, context: Context, job: Callable[[ImagesChain], Job]
    ) -> None:
        self.tail = Tail()
        self.trusted = context.split and context.wanted.all_repositories
        self.open: set[ImagesChain] = set()
        self.front: ImagesChain | None = None
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
        rung = context.rung if mode is not Mode.BACK else 0
        chain = ImagesChain(call, mode, name, context.page_size, rung)
        self.open.add(chain)
        self.replay.look(chain)
        if queue:
            context.queue(self._job(chain))
        return chain

    def _claim(self, name: str, *, queue: bool = False) -> ImagesChain:
        self._context.keeper.claim(self._registry_id, name, Mode.ALONE.value)
        self.tail.claim(name)
        log.debug("listing_split", repository_name=name, how="listed alone")
        return self.begin(Mode.ALONE, name, queue=queue)

    def claim_again(self, before: Collection[tuple[str, str]]) -> None:
        """Make the claims of an earlier attempt again: pages were cut on their account."""
        claimed = {mode: sorted(n for n, m in before if m == mode.value) for mode in Mode}
        alone = {name: self._claim(name, queue=True) for name in reversed(claimed[Mode.ALONE])}
        for name in claimed[Mode.BACK]:
            forward = alone.get(name, self.front)
            if forward is not None:
                self._go_back(forward, name, queue=True)

    def _can_go_back(self, chain: ImagesChain) -> bool:
        if chain.mode is Mode.BACK or chain.partner is not None or chain.done:
            return False
        if chain.pages < MIN_PAGES_BEFORE_BACK or chain.images < MIN_IMAGES_BEFORE_BACK:
            return False
        if not chain.by_time or chain.last_at is None:
            return False
        # The front may be joined in its last repository: everything behind it is claimed.
        last = self.trusted and self.tail.last_unclaimed() == chain.last_name
        return self._context.backwards and (chain.mode is Mode.ALONE or last)

    def _go_back(
        self, forward: ImagesChain, name: str | None = None, *, queue: bool = False
    ) -> ImagesChain:
        repository = name or forward.repository or forward.last_name
        self._context.keeper.claim(self._registry_id, repository, Mode.BACK.value)
        log.debug("listing_split", repository_name=repository, how="from both ends")
        back = self.begin(Mode.BACK, repository, queue=queue)
        back.partner, forward.partner = forward, back
        return back

    def steal(self, *, listed: bool) -> Job | None:
        """Return a chain for a free slot: from the tail, or a long repository's other end."""
        if not (self._context.split and listed):
            return None
        front = self.front
        name = self.tail.last_unclaimed()
        if (
            self.trusted
            and name is not None
            and front is not None
            and not front.done
            and front.by_name
            and front.pages
            and self.tail.worth_stealing(front.last_name, front.pages, front.images)
        ):
            return self._job(self._claim(name))
        for chain in sorted(self.open, key=lambda one: -one.pages):
            if self._can_go_back(chain):
                return self._job(self._go_back(chain))
        return None

    def distrust(self, reason: str, *, failed: bool) -> None:
        """Rely on claims no more: the front lists everything, from the beginning if it relied.

        `failed` says whether the registry's listing has failed already.
        """
        if self.tail.boundary is not None:
            log.warning("split_given_up", registry_id=self._registry_id, reason=reason)
        self.trusted = False
        for chain in self.open:
            if chain.mode is not Mode.FRONT:
                chain.stopped = True
        front = self.front
        if front is None or (front.stopped and failed):
            return
        if front.met or front.stopped or front.relies:
            front.stopped = False
            front.restart(plain=True)
            self.open.add(front)
            self._context.queue(self._job(front))
