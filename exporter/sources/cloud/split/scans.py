"""The scans of one registry: which of them are open, and how each begins.

*A decision is noted first*, before any page that is cut because of it: a resumed run repeats it.
The decisions are to meet a scan from its other end, and to list the repositories one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog

from exporter.crawl.task import Task
from exporter.page import Note
from exporter.sources.cloud.images import images_call
from exporter.sources.cloud.split import estimate
from exporter.sources.cloud.split.check import Sample
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.estimate import Sizes
from exporter.sources.cloud.split.known import KnownImages
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.replay import Replay
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.state import ListingState, Phase
from exporter.sources.cloud.summary import Images, Seen

log = structlog.get_logger()

WHOLE_REGISTRY = ""
"""The item in a note about the registry as a whole."""
ALONE = "alone"
"""The decision in the note on a registry whose repositories are listed one by one."""


class Scans:
    """The open scans of a registry, and the facts that they rely on.

    `partition` are the registry's repositories and `sizes` how large they are. `up` and `down` are
    its own scans, if there are any, and `known` has what they have listed. `task` makes the
    scheduler's task of a scan. `changes` counts what may make another scan worth meeting: scans
    that begin, pages, and sizes.
    """

    def __init__(
        self,
        registry_id: str,
        context: Context,
        state: ListingState,
        task: Callable[[Scan], Task],
    ) -> None:
        self.partition = RepositoryPartition()
        self.sizes = Sizes()
        self.open: set[Scan] = set()
        self.up: Scan | None = None
        self.down: Scan | None = None
        self.changes = 0
        self.replay = Replay(context.pages)
        self.known = KnownImages(context.policy.max_known_ids)
        self.registry_call = images_call(
            "registryId", registry_id, f"images of registry {registry_id}"
        )
        self._registry_id = registry_id
        self._context = context
        self._state = state
        self.task = task
        self._begun: set[str] = set()  # Repositories that a scan was begun for.
        self._decided_before = context.store.notes(registry_id)

    # How they begin.

    @property
    def resumes(self) -> bool:
        """Whether an earlier attempt has decided anything about the registry."""
        return bool(self._decided_before)

    def _has_decided(self, item: str, decision: str) -> bool:
        """Return whether an earlier attempt has noted a decision about the registry."""
        return Note(self._registry_id, item, decision) in self._decided_before

    @property
    def _page_size(self) -> int:
        """The number of images to ask for: at most as many as the API sends to an open scan."""
        return min([self._context.page_size, *(scan.page_size for scan in self.open)])

    def begin(
        self,
        direction: Direction,
        name: str | None = None,
        *,
        queue: bool = True,
        reading: int = 0,
        page_size: int | None = None,
    ) -> Scan:
        """Open a scan; `name` is a repository's, None for the whole registry."""
        call = self.registry_call
        if name is not None:
            call = images_call("repositoryName", name, f"images of repository {name}")
            self._begun.add(name)
        context = self._context
        fallback = context.fallback if direction is Direction.ASCENDING and not reading else 0
        page_size = page_size or self._page_size
        # A stored page was asked for with the most images allowed, or half of that, and so on.
        first_size = context.page_size if self.resumes else page_size
        scan = Scan(call, direction, name, first_size, fallback, context.policy, reading)
        if self.resumes:
            self.replay.find(scan, fallback)
        self.open.add(scan)
        self.changes += 1
        self.replay.look(scan)
        if self.resumes and not self.replay.has(scan):
            scan.cursor.resize(page_size)
        if queue:
            context.queue(self.task(scan))
        return scan

    def begin_whole(self, *, may_split: bool) -> None:
        """Open the registry's ascending scan, and repeat the decisions of an earlier attempt.

        `may_split` is true if the complete repository list has come.
        """
        self.up = self.begin(Direction.ASCENDING)
        # The pages of the registry's own scans are replayed first.
        if may_split and self._state.trusts_list and self._has_decided(WHOLE_REGISTRY, ALONE):
            self._state.enter(Phase.SPLIT)
        if self._has_decided(WHOLE_REGISTRY, Direction.DESCENDING.value):
            self.meet(self.up, queue=True)

    def begin_alone(self, names: Iterable[str]) -> None:
        """List repositories one by one, and from both ends if an earlier attempt did."""
        context, page_size = self._context, self._page_size
        for name in names:
            if name in self._begun:
                continue
            scan = self.begin(Direction.ASCENDING, name, page_size=page_size)
            page_size = min(page_size, scan.page_size)
            met_before = self._has_decided(name, Direction.DESCENDING.value)
            pages = estimate.pages_of(self.sizes, name, self.up)
            large = pages >= context.policy.large_pages
            if met_before or (large and context.backwards and self._state.is_split):
                self.meet(scan, queue=True)

    def meet(self, up: Scan, *, queue: bool) -> Scan:
        """Open the descending scan that meets another; without `queue`, its task is not queued."""
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

    def split(self) -> None:
        """List all repositories one by one, and stop the registry's own scans."""
        self._context.store.add_note(Note(self._registry_id, WHOLE_REGISTRY, ALONE))
        log.debug("listing_split", registry_id=self._registry_id, how="by repository")
        self._state.enter(Phase.SPLIT)
        for scan in (self.up, self.down):
            if scan is not None:
                scan.stop()

    def has_begun(self, name: str) -> bool:
        """Return whether a scan was begun for a repository."""
        return name in self._begun

    # Their images.

    def take_repositories(self, names: Iterable[str]) -> None:
        """Note the repositories that a split lists."""
        self.changes += 1
        self.partition = RepositoryPartition(names)
        self.sizes = estimate.equal_sizes(self.partition.names)

    def take_sample(self, sample: Sample) -> None:
        """Note the sizes of the repositories, by a sample."""
        self.take_sizes(sample.shares, sample.total)

    def take_sizes(self, shares: Mapping[str, float], images: float | None) -> None:
        """Note the share of the sampled images that each has, and how many images there may be."""
        self.changes += 1
        unseen = self._context.policy.unseen_share
        self.sizes = estimate.sampled_sizes(self.partition.names, shares, images, unseen)

    def note(self, scan: Scan, page: Images) -> None:
        """Note a page that was written, and its images if a scan of the registry's own lists it.

        A resumed run cannot replay pages that were asked for a second time, so these do not count.
        """
        self.changes += 1
        own = scan.repository is None and not (scan.reading or scan.relists)
        if own and self._state.trusts_list:
            self.known.add(page)

    def listed_by_own(self, page: Seen) -> tuple[str, ...]:
        """Return the images of a page that the registry's own scans listed before the split."""
        return self.known.among(page) if self._state.is_split else ()

    # How they end.

    @property
    def settled(self) -> bool:
        """Whether almost all of a split registry is listed."""
        if len(self.open) > self._context.policy.max_open_at_refresh:
            return False
        return all(scan.repository is not None for scan in self.open)

    def give_up(self, down: Scan) -> None:
        """Continue without a descending scan."""
        down.stop()
        if down is self.down:
            self.down = None

    def ended(self, scan: Scan) -> None:
        """Remove a scan; after the last of a split registry's own scans, the repositories begin."""
        self.open.discard(scan)
        self.replay.look(scan)
        own = scan.repository is None and not scan.reading
        if self._state.is_split and own and all(one.repository is not None for one in self.open):
            self.begin_alone(estimate.largest_first(self.sizes))

    def stop(self) -> None:
        """Stop all scans."""
        for scan in self.open:
            scan.stop()
        self.down = None

    def restart_whole(self) -> None:
        """List the whole registry from the beginning, in no order if its own order has not held."""
        up = self.up
        if up is None:
            self.up = self.begin(Direction.ASCENDING)
            return
        up.partner = None
        up.restart_soon()
        if up not in self.open:
            up.begin_again()
            self.open.add(up)
            self._context.queue(self.task(up))
