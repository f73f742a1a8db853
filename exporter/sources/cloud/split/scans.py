"""The scans of one registry: how they begin, how they split it, and what ends the splitting."""

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
    scheduler's task of a scan.
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
        self.replay = Replay(context.pages)
        self.known = KnownImages(context.policy.max_known_ids)
        self.registry_call = images_call(
            "registryId", registry_id, f"images of registry {registry_id}"
        )
        self._registry_id = registry_id
        self._context = context
        self._state = state
        self._task = task
        self._begun: set[str] = set()  # Repositories that a scan was begun for.
        self._none_long = False  # Whether no scan is worth a second one; until something changes.
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
        self._none_long = False
        self.replay.look(scan)
        if self.resumes and not self.replay.has(scan):
            scan.cursor.resize(page_size)
        if queue:
            context.queue(self._task(scan))
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
            self._meet(self.up, queue=True)

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
                self._meet(scan, queue=True)

    def has_begun(self, name: str) -> bool:
        """Return whether a scan was begun for a repository."""
        return name in self._begun

    def ended(self, scan: Scan) -> None:
        """Remove a scan; after the last of a split registry's own scans, the repositories begin."""
        self.open.discard(scan)
        self.replay.look(scan)
        own = scan.repository is None and not scan.reading
        if self._state.is_split and own and all(one.repository is not None for one in self.open):
            self.begin_alone(estimate.largest_first(self.sizes))

    # Their images.

    def take_repositories(self, names: Iterable[str]) -> None:
        """Note the repositories that a split lists."""
        self._none_long = False
        self.partition = RepositoryPartition(names)
        self.sizes = estimate.equal_sizes(self.partition.names)

    def take_sample(self, sample: Sample) -> None:
        """Note the sizes of the repositories, by a sample."""
        self.take_sizes(sample.shares, sample.total)

    def take_sizes(self, shares: Mapping[str, float], images: float | None) -> None:
        """Note the share of the sampled images that each has, and how many images there may be."""
        self._none_long = False
        unseen = self._context.policy.unseen_share
        self.sizes = estimate.sampled_sizes(self.partition.names, shares, images, unseen)

    def note(self, scan: Scan, page: Images) -> None:
        """Note a page that was written, and its images if a scan of the registry's own lists it.

        A resumed run cannot replay pages that were asked for a second time, so these do not count.
        """
        self._none_long = False
        if scan.repository is None and not (scan.reading or scan.relists):
            self.known.add(page)

    def listed_by_own(self, page: Seen) -> tuple[str, ...]:
        """Return the images of a page that the registry's own scans listed before the split."""
        return self.known.among(page) if self._state.is_split else ()

    # Tasks for free slots.

    def pages_left(self, scan: Scan) -> float:
        """Return how many pages a scan may have left."""
        return estimate.pages_left(self.sizes, scan, self.up, self._context.policy)

    def will_go_on(self, scan: Scan) -> bool:
        """Return whether a scan will need the page after its current one.

        It may meet its partner on the current page. With few pages left, that is unknown.
        """
        policy, partner = self._context.policy, scan.partner
        if partner is None:
            return scan.repository is not None or not self._state.is_split
        pages = estimate.pages_before_meeting(self.sizes, scan, partner, self.up, policy)
        return pages >= policy.pages_ahead

    @property
    def wants_to_split(self) -> bool:
        """Whether free slots would save time by listing the repositories one by one."""
        up, context = self.up, self._context
        if self._state.phase is not Phase.SCANNING or self.replay.is_running:
            return False
        if up is None or up.is_over or up.reading or not self.partition.is_listable:
            return False
        decoding = context.pages.decoding_seconds(up.bytes_per_page)
        return self.known.is_whole and estimate.is_worth_splitting(
            self.sizes, up, self.down, context.slots, decoding, context.policy
        )

    def split(self) -> None:
        """List all repositories one by one, and stop the registry's own scans."""
        self._context.store.add_note(Note(self._registry_id, WHOLE_REGISTRY, ALONE))
        log.debug("listing_split", registry_id=self._registry_id, how="by repository")
        self._state.enter(Phase.SPLIT)
        for scan in (self.up, self.down):
            if scan is not None:
                scan.stop()

    def idle_task(self, *, whole: bool) -> Task | None:
        """Return a new scan that meets a long one; with `whole`, also one of the registry."""
        long = self.long_ones(whole=whole)
        if not long:
            return None
        # The longest one goes first: it decides how long the run takes.
        longest = min(long, key=lambda one: (one is not self.up, -one.pages))
        return self._task(self._meet(longest, queue=False))

    def long_ones(self, *, whole: bool) -> list[Scan]:
        """Return the scans that are worth a second one; with `whole`, also that of the registry."""
        if self._none_long or not self._context.split or self.replay.is_running:
            return []
        long = [scan for scan in self.open if self._can_be_met(scan)]
        self._none_long = not long  # Free slots ask more often than pages come.
        return [scan for scan in long if whole or scan is not self.up]

    def _can_be_met(self, scan: Scan) -> bool:
        if scan.observed.last is None or scan.partner is not None or scan.is_over:
            return False
        if scan.direction is Direction.DESCENDING or not scan.observed.in_order:
            return False
        if scan.repository is None and self._state.is_split:
            return False
        return self._context.backwards and estimate.is_worth_meeting(
            self.pages_left(scan), scan.page_seconds, self._context.policy
        )

    def _meet(self, up: Scan, *, queue: bool) -> Scan:
        """Open the descending scan that meets another."""
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

    # The end of the splitting.

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

    def abandon_split(self, reason: str, *, failed: bool) -> bool:
        """Stop listing repositories one by one: the ascending scan lists everything again.

        If the user's repositories were to be listed one by one, without such a scan, it begins now.
        `failed` is true if the registry's listing has already failed. Returns False if nothing was
        listed one by one, so that the ascending scan continues as it is.
        """
        was_split = self._state.is_split
        self._state.enter(Phase.UNSPLIT)
        if not was_split and self.up is not None:
            return False
        log.warning("split_given_up", registry_id=self._registry_id, reason=reason)
        for scan in self.open:
            scan.stop()
        self.down = None
        if not failed:
            self._restart_unordered()
        return True

    def _restart_unordered(self) -> None:
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
            self._context.queue(self._task(up))
