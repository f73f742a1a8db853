"""The registries of a run: how each one's repositories and images are listed.

A registry is listed by itself. Only the registries of a folder that are small in an earlier
snapshot are listed together (`folder_listing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank, Task
from exporter.errors import ApiError
from exporter.page import Note
from exporter.settings import Limits
from exporter.sources.base import Crawl
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.folder_listing import FolderListing
from exporter.sources.cloud.grouping import Grouping
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.resources import ResourcesTask, listing_call
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.cloud.split.check import page_size_for
from exporter.sources.cloud.split.context import Context, SplitListing
from exporter.sources.cloud.split.listing import RegistryListing
from exporter.sources.cloud.split.policy import SplitPolicy, default_policy
from exporter.sources.cloud.split.span import Span

log = structlog.get_logger()

REFRESH = 1000
"""The attempt number of the second reading of a list of repositories; the first reading has 0."""
TOGETHER = "together"
"""The decision in the note on a registry that is listed with others of its folder."""


class Listed(Protocol):
    """Receives the repositories of a registry; `whole` if those are all."""

    def __call__(self, names: Collection[str], /, *, whole: bool) -> None:
        """Receive them."""


class Registries:
    """All registries of a run; discovery tells `grouping` of each one that it meets.

    The registries with the most images in an earlier snapshot begin first. `met_elsewhere` are
    registries that a list has named, and that another run lists. `policy` says when listings are
    split, by default as in every run.
    """

    def __init__(
        self,
        limits: Limits,
        crawl: Crawl,
        pages: Pages,
        wanted: ScopeFilter,
        *,
        met_elsewhere: Collection[str] = (),
        policy: SplitPolicy | None = None,
    ) -> None:
        self._page_size = limits.page_size
        self._client = crawl.client
        self._scheduler = crawl.scheduler
        self._pages = pages
        self._coverage = crawl.coverage
        self._filter = wanted
        self._expected = crawl.expected_images
        self._met_elsewhere = frozenset(met_elsewhere)
        self._context = Context(
            pages=pages,
            store=crawl.store,
            wanted=wanted,
            page_size=limits.page_size,
            sample_size=page_size_for(limits),
            slots=limits.concurrency,
            split=limits.split_listings,
            queue=self._scheduler.add,
            refresh=self._refresh,
            may_prefetch=self._may_prefetch,
            policy=policy or default_policy(),
        )
        self._listings: list[RegistryListing] = []
        self._readings: Counter[str] = Counter()  # How often a registry was read again.
        self.grouping = Grouping(
            self,
            self._expected,
            limits.page_size,
            joins=wanted.all_repositories,
            was_joined=self._was_joined,
        )

    def _was_joined(self, registry_id: str, folder_id: str) -> bool:
        """Return whether an earlier attempt listed a registry with others of its folder."""
        return Note(folder_id, registry_id, TOGETHER) in self._context.store.notes(folder_id)

    def open(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """List a registry by itself; `known` if a list named it, so a 404 may mean it is gone."""
        listing = self._new_listing(
            registry_id, parents, self._coverage.open("images", registry_id, known=known)
        )
        self._list_repositories(registry_id, parents, known, listing.repositories_listed)
        listing.start()

    def open_span(
        self, registry_id: str, parents: Parents, span: Span, *, known: bool
    ) -> ListingStatus:
        """List a span of a registry's repositories; others list the rest of the registry.

        Return the entry of its images. The registry's entry for `repositories` counts only the
        calls that read the list again.
        """
        if self._coverage.entry("repositories", registry_id) is None:
            self._coverage.open("repositories", registry_id, known=known)
        images = self._coverage.open_part("images", registry_id, known=known)
        listing = RegistryListing(registry_id, parents, images, self._context, span=span)
        self._listings.append(listing)
        listing.list_span(span)
        return images

    def look(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """List the repositories of a registry, and no images."""

        def listed(_names: Collection[str], *, whole: bool) -> None:
            """Do nothing more: the coverage says whether the listing came to its end."""

        self._list_repositories(registry_id, parents, known, listed)

    def _new_listing(
        self, registry_id: str, parents: Parents, images: ListingStatus
    ) -> RegistryListing:
        expected = self._expected.get(registry_id)
        pages = None if expected is None else expected / self._page_size
        listing = RegistryListing(registry_id, parents, images, self._context, pages)
        self._listings.append(listing)
        return listing

    def open_together(self, folder_id: str, registry_ids: Sequence[str], parents: Parents) -> None:
        """List some registries of a folder together."""
        joined = registry_ids
        entries = {one: self._coverage.open("images", one) for one in joined}

        def apart(registry_id: str, names: Collection[str], *, whole: bool) -> None:
            listing = self._new_listing(registry_id, parents, entries[registry_id])
            listing.start()
            listing.repositories_listed(names, whole=whole)

        def is_met(registry_id: str) -> bool:
            met = self._coverage.entry("images", registry_id) is not None
            return met or registry_id in self._met_elsewhere

        folder = FolderListing(folder_id, parents, entries, self._context, is_met, apart)
        for one in joined:
            self._context.store.add_note(Note(folder_id, one, TOGETHER))
            self._list_repositories(one, parents, True, partial(folder.repositories_listed, one))

    def _list_repositories(
        self, registry_id: str, parents: Parents, known: bool, listed: Listed
    ) -> None:
        """Submit a task that lists a registry's repositories and passes them to `listed`."""
        entry = self._coverage.open("repositories", registry_id, known=known)
        names: list[str] = []

        def ended(error: ApiError | None) -> None:
            if error is None:
                entry.complete()
            else:
                entry.fail(error)
            listed(names, whole=entry.whole)

        self._scheduler.add(
            self._repositories_task(
                entry,
                parents,
                found=names.append,
                ended=ended,
                pages_left=self._expected.get(registry_id, 0) / self._page_size + 2.0,
            )
        )

    def _repositories_task(
        self,
        entry: ListingStatus,
        parents: Parents,
        *,
        found: Callable[[str], None],
        ended: Callable[[ApiError | None], None],
        wanted: Callable[[str], bool] | None = None,
        attempt: int = 0,
        pages_left: float = 1.0,
    ) -> Task:
        return ResourcesTask(
            self._pages,
            entry,
            listing_call("repositories", entry.parent_id),
            parents,
            self._page_size,
            staged=wanted or self._filter.repository,
            found=lambda resource: found(resource.id),
            ended=ended,
            attempt=attempt,
            priority=Priority(Rank.LISTING, pages_left),
        )

    def _refresh(self, listing: SplitListing) -> None:
        """List a split registry's repositories again, to find those created since."""
        entry = self._coverage.entry("repositories", listing.registry_id)
        if entry is None:
            return
        names: list[str] = []
        attempt = REFRESH + self._readings[listing.registry_id]
        self._readings[listing.registry_id] += 1

        def ended(error: ApiError | None) -> None:
            if error is not None:
                log.warning("refresh_failed", scope=error.scope, reason=error.reason)
            listing.repositories_refreshed(names, whole=error is None and not entry.lost)

        self._scheduler.add(
            self._repositories_task(
                entry,
                listing.parents,
                found=names.append,
                ended=ended,
                wanted=listing.is_new_repository,
                attempt=attempt,
            )
        )

    def _may_prefetch(self, task: Task) -> bool:
        """Return whether a task may ask for its next page before it has handled this one.

        It must be the task that would ask next, and the host must have no limit of calls a second,
        for the call may turn out to be unnecessary.
        """
        return self._scheduler.next_is(task) and not self._client.paced("container_registry")

    def idle_task(self) -> Task | None:
        """Give a free slot a part of the longest registry that can be split."""
        if not self._client.spare("container_registry"):
            return None
        self._listings = [listing for listing in self._listings if not listing.ended]
        # Decoding may be behind, so that more calls at once save no time now.
        behind = self._pages.behind
        decisions = not behind and not self._client.paced("container_registry")
        listings = [one for one in self._listings if one.splitting.is_worth_it(decisions=decisions)]
        # The longest ones go first: they decide how long the run takes.
        listings.sort(key=lambda one: -one.most_pages_left)
        if behind:
            listings = [listing for listing in listings[:1] if self._takes_longest(listing)]
        for listing in listings:
            task = listing.splitting.idle_task(decisions=decisions)
            if task is not None:
                return task
        return None

    def _takes_longest(self, listing: RegistryListing) -> bool:
        """Return whether a registry is the longest, and may take longer than all the others.

        Then a second scan of it saves time even if decoding is behind, and costs a page at most.
        """
        own, every = listing.most_pages_left, 0.0
        for other in self._listings:
            pages_left = other.most_pages_left
            every += pages_left
            if own < max(pages_left, self._context.policy.large_share * every):
                return False
        return True
