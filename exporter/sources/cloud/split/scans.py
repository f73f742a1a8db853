"""The chains of one registry: how they begin, how they split it, and what ends the splitting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from exporter.crawl.task import Task
from exporter.http.types import Call
from exporter.page import Note
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.meeting import pages_between
from exporter.sources.cloud.split.ordering import Direction, order_fallbacks
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.replay import Replay
from exporter.sources.cloud.split.scan import Scan

log = structlog.get_logger()

PATH = "/container-registry/v1/images"
WHOLE_REGISTRY = ""
"""Stands in a note that is about the registry as a whole."""
ALONE = "alone"
"""Stands in the note on a registry whose repositories are listed one by one."""


class Scans:
    """Which chains of a registry are open, and what they rely on.

    `partition` are the registry's repositories, `up` and `down` its own chains, where it has them;
    `alone` says whether its repositories are listed one by one, and `trusted` whether they may be.
    `task` is how a chain is queued.
    """

    def __init__(self, registry_id: str, context: Context, task: Callable[[Scan], Task]) -> None:
        self._policy = context.policy
        self.partition = RepositoryPartition((), 0, context.policy)
        self.trusted = context.split and context.wanted.all_repositories
        self.alone = False
        self.open: set[Scan] = set()
        self.up: Scan | None = None
        self.down: Scan | None = None
        self.replay = Replay(context.pages)
        self.registry_call = Call(
            "container_registry",
            PATH,
            (("registryId", registry_id),),
            f"images of registry {registry_id}",
        )
        self._registry_id = registry_id
        self._context = context
        self._task = task
        self._known: set[str] = set()
        self._begun: set[str] = set()  # Repositories that a chain was begun for.
        self._decided_before = context.store.notes(registry_id)

    @property
    def _page_size(self) -> int:
        """How many images to ask for: no more than an open chain is known to be given."""
        return min([self._context.page_size, *(scan.page_size for scan in self.open)])

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt has decided anything about the registry."""
        return bool(self._decided_before)

    def _has_decided(self, item: str, decision: str) -> bool:
        """Say whether an earlier attempt has noted a decision about the registry."""
        return Note(self._registry_id, item, decision) in self._decided_before

    def begin(
        self, direction: Direction, name: str | None = None, *, queue: bool = True, reading: int = 0
    ) -> Scan:
        """Open a chain; `name` is a repository's, None for the whole registry."""
        call = self.registry_call
        if name is not None:
            param = ("repositoryName", name)
            call = Call("container_registry", PATH, (param,), f"images of repository {name}")
            self._begun.add(name)
        context = self._context
        fallback = context.fallback if direction is Direction.ASCENDING and not reading else 0
        # What was kept was begun with as many as may be asked for, or with half of that, and so on.
        page_size = context.page_size if self.resumes else self._page_size
        scan = Scan(call, direction, name, page_size, fallback, context.policy, reading)
        self._find_stored(scan, fallback)
        self.open.add(scan)
        self.replay.look(scan)
        if scan not in self.replay:
            scan.resize(self._page_size)
        if queue:
            context.queue(self._task(scan))
        return scan

    def _find_stored(self, scan: Scan, fallback: int) -> None:
        """Have a chain begin with the order whose pages an earlier attempt has kept.

        What was listed otherwise was cut on their account.
        """
        if not self.resumes:
            return
        # The first order may have been another one, or was gone down to from there.
        for first in range(len(order_fallbacks(scan.direction, scan.repository, scan.reading))):
            scan.begin_with(first)
            while scan.cursor.call is not None:
                if self._context.pages.is_stored(scan.cursor.call, scan.attempt):
                    return
                if not scan.fall_back():
                    break
        scan.begin_with(fallback)

    def begin_whole(self, *, may_split: bool) -> None:
        """Open the registry's chain upwards, and do what an earlier attempt has claimed again.

        `may_split` says whether the list of repositories is here, and all of it.
        """
        self.up = self.begin(Direction.ASCENDING)
        # What the registry's own chains have listed is taken up first.
        self.alone = may_split and self.trusted and self._has_decided(WHOLE_REGISTRY, ALONE)
        if self._has_decided(WHOLE_REGISTRY, Direction.DESCENDING.value):
            self._meet(self.up, queue=True)

    def begin_alone(self, names: Iterable[str]) -> None:
        """List repositories one by one, and from both ends where an earlier attempt did."""
        for name in names:
            if name in self._begun:
                continue
            scan = self.begin(Direction.ASCENDING, name)
            met_before = self._has_decided(name, Direction.DESCENDING.value)
            large = self.up is not None and self.partition.is_large(name, self.up)
            if met_before or (large and self._context.backwards and self.alone):
                self._meet(scan, queue=True)

    def has_begun(self, name: str) -> bool:
        """Say whether a chain was begun for a repository."""
        return name in self._begun

    def split(self) -> None:
        """List all repositories one by one instead of going on with the registry's own chains."""
        self._context.store.add_note(Note(self._registry_id, WHOLE_REGISTRY, ALONE))
        log.debug("listing_split", registry_id=self._registry_id, how="by repository")
        self.alone = True
        for scan in (self.up, self.down):
            if scan is not None:
                scan.stop()

    def ended(self, scan: Scan) -> None:
        """Take a chain out; after the last one of the registry's own, its parts are begun."""
        self.open.discard(scan)
        self.replay.look(scan)
        own = scan.repository is None and not scan.reading
        if self.alone and own and all(one.repository is not None for one in self.open):
            self.begin_alone(self.partition.names)

    def note(self, scan: Scan, ids: Iterable[str]) -> None:
        """Remember what one of the registry's own chains has listed, as long as it can be taken up.

        Pages that it has asked for a second time are not found again after a stop.
        """
        first = not (scan.reading or scan.relists)
        if scan.repository is None and first and len(self._known) < self._policy.max_known_ids:
            self._known.update(ids)

    def has(self, ids: Collection[str]) -> bool:
        """Say whether the registry's own chains have listed images that were cut elsewhere."""
        return self._known.issuperset(ids)

    def known(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return which images the registry's own chains have listed before it was split."""
        return tuple(one for one in ids if one in self._known) if self.alone else ()

    def _meet(self, up: Scan, *, queue: bool) -> Scan:
        """Open the chain that comes to meet another from above."""
        item = up.repository or WHOLE_REGISTRY
        self._context.store.add_note(Note(self._registry_id, item, Direction.DESCENDING.value))
        log.debug(
            "listing_split",
            registry_id=self._registry_id,
            repository_name=up.repository,
            how="from both ends",
        )
        down = self.begin(Direction.DESCENDING, up.repository, queue=queue)
        down.partner, up.partner = up, down
        if up is self.up:
            self.down = down
        return down

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a chain may have left."""
        if scan.repository is None:
            return self.partition.pages_left(scan, scan.partner)
        if (sampled := self._pages_left_by_sample(scan)) > 0.0:
            return sampled
        # What has gone on for long tends to go on; two that meet have the same left.
        ahead = (
            scan.partner
            if scan.direction is Direction.DESCENDING and scan.partner is not None
            else scan
        )
        return ahead.pages + 1.0

    def _pages_left_by_sample(self, scan: Scan) -> float:
        """Return the pages left of a repository's chain as far as a sample tells, or 0."""
        if scan.repository is None or self.up is None:
            return 0.0
        both = [scan] if scan.partner is None else [scan, scan.partner]
        pages = self.partition.pages_of(scan.repository, self.up) - sum(one.pages for one in both)
        return max(pages / len(both), 0.0)

    def goes_on(self, scan: Scan) -> bool:
        """Say whether a chain will want the page after the one that it waits for.

        What comes towards it may be met on that page. If not too many pages are left for that, it
        is not known.
        """
        partner = scan.partner
        if partner is None:
            return scan.repository is not None or not self.alone
        pages = pages_between(scan, partner) / 2
        if scan.repository is None:
            pages = pages or self.partition.pages_left(scan, partner)
        return (pages or self._pages_left_by_sample(scan)) >= self._policy.pages_ahead

    def _can_be_met(self, scan: Scan) -> bool:
        if scan.direction is Direction.DESCENDING or scan.partner is not None or scan.done:
            return False
        if not (scan.in_order and scan.last is not None):
            return False
        if scan.repository is None and self.alone:
            return False
        pages = self.pages_left(scan)
        return (
            self._context.backwards
            and pages >= self._policy.min_pages_before_down
            and pages * scan.page_seconds >= self._policy.min_seconds_before_down
        )

    def idle_task(self, *, whole: bool) -> Task | None:
        """Return a chain for a free slot, one to meet a long one; the registry's own if `whole`."""
        if not self._context.split or self.replay:
            return None
        # What is known to be long goes first: it sets how long all of it takes.
        for scan in sorted(self.open, key=lambda one: (one is not self.up, -one.pages)):
            if (whole or scan is not self.up) and self._can_be_met(scan):
                return self._task(self._meet(scan, queue=False))
        return None

    @property
    def wants_to_split(self) -> bool:
        """Whether free slots would be well used by listing the repositories one by one."""
        up, down = self.up, self.down
        if not (self.trusted and self._context.split) or self.alone or self.replay:
            return False
        if up is None or up.done or up.reading:
            return False
        return self.partition.is_worth_splitting(up, down)

    @property
    def settled(self) -> bool:
        """Whether almost all of a split registry is listed."""
        begun = not any(scan.repository is None for scan in self.open)
        return begun and len(self.open) <= self._policy.max_open_at_refresh

    def give_up(self, down: Scan) -> None:
        """Go on without a chain from above."""
        down.stop()
        if down is self.down:
            self.down = None

    def abandon_split(self, reason: str, *, failed: bool) -> bool:
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
        for scan in self.open:
            scan.stop()
        self.down = None
        if not failed:
            self.restart_unordered()
        return True

    def restart_unordered(self) -> None:
        """List the whole registry from the beginning, in no order."""
        up = self.up
        if up is None:
            self.up = self.begin(Direction.ASCENDING)
            return
        up.partner = None
        if up in self.open:
            up.restart_unordered = True
        else:
            up.begin_unordered()
            self.open.add(up)
            self._context.queue(self._task(up))
