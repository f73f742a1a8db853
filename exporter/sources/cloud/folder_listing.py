"""The images of a folder's small registries, listed together instead of with a call for each.

A list by `folderId` does not say which registries it covers: a registry that may not be read could
be missing without notice. So the repositories of each registry are listed first, by themselves:

- The joint listing keeps only the images of registries whose repositories could be listed.
- A registry with repositories, but without an image in the joint listing, is listed by itself.
- Every registry is listed by itself if the joint listing fails, shows an image twice (then another
  may be missing, see `proof`), or shows an image without an id or of a registry that was not met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from math import ceil
from typing import Protocol
from zlib import crc32

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError
from exporter.sources.cloud.decode.resources import Parents, registry_of
from exporter.sources.cloud.images import ImagesDecoder, images_call, images_request
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.failures import FailureAction, handle_failure
from exporter.sources.cloud.split.ordering import Direction, order_fallbacks
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.summary import Images
from exporter.wording import number

log = structlog.get_logger()

MOST_PAGES = 4
"""A joint listing may be expected to have this many pages at most: it is read page after page."""
_NO_ORDER = len(order_fallbacks(Direction.ASCENDING, None)) - 1


class Apart(Protocol):
    """Lists one registry by itself, given its repositories and whether those are all."""

    def __call__(self, registry_id: str, names: Collection[str], *, whole: bool) -> None:
        """Begin to list it."""


def is_small(expected: int | None, page_size: int) -> bool:
    """Return whether a registry is known to fill less than a page."""
    return expected is not None and expected < page_size


def worth_joining(registries: int, images: int, page_size: int) -> bool:
    """Return whether listing so many small registries together saves calls.

    `images` is how many images they have in all.
    """
    pages = max(1, ceil(images / page_size))
    return pages <= MOST_PAGES and pages < registries


def fewest_calls(
    folders: Mapping[str, str | None], expected: Mapping[str, int], page_size: int
) -> int:
    """Return the fewest calls that list the images of registries, each given with its folder."""
    calls = 0
    small: dict[str, list[int]] = {}
    for registry_id, folder_id in folders.items():
        images = expected.get(registry_id)
        if folder_id is not None and images is not None and is_small(images, page_size):
            small.setdefault(folder_id, []).append(images)
        else:
            calls += max(1, ceil((images or 0) / page_size))
    for counts in small.values():
        joined = worth_joining(len(counts), sum(counts), page_size)
        calls += max(1, ceil(sum(counts) / page_size)) if joined else len(counts)
    return calls


class FolderListing:
    """The joint listing of some registries of a folder; `entries` are their rows in the coverage.

    It begins once it knows the repositories of all of them. `is_met` says of a registry, by id,
    whether a list has named it, in this folder or another. `apart` lists a registry by itself.
    """

    priority = Priority(Rank.LISTING, float(MOST_PAGES))
    has_prefetched = False

    def __init__(
        self,
        folder_id: str,
        parents: Parents,
        entries: Mapping[str, ListingStatus],
        context: Context,
        is_met: Callable[[str], bool],
        apart: Apart,
    ) -> None:
        self._folder_id = folder_id
        self._parents = parents
        self._entries = entries
        self._context = context
        self._is_met = is_met
        self._apart = apart
        self._waits_for = set(entries)
        self._joined: dict[str, Collection[str]] = {}
        self._met: set[str] = set()
        call = images_call(
            "folderId",
            folder_id,
            f"images of {number(len(entries), 'registry', 'registries')} of folder {folder_id}",
        )
        self._scan = Scan(
            call, Direction.ASCENDING, None, context.page_size, _NO_ORDER, context.policy
        )

    def repositories_listed(self, registry_id: str, names: Collection[str], *, whole: bool) -> None:
        """Receive a registry's repositories; `whole` if all of them could be listed."""
        self._waits_for.discard(registry_id)
        if whole:
            self._joined[registry_id] = names
        else:
            self._apart(registry_id, names, whole=False)
        if self._joined and not self._waits_for:
            log.debug("listed_together", folder_id=self._folder_id, registries=len(self._joined))
            # A page that an earlier attempt stored is valid only for the very same registries.
            self._scan.attempts.number = crc32(" ".join(sorted(self._joined)).encode())
            self._context.queue(self)

    async def run_one(self) -> bool:
        """Ask for the next page; return True while there is more."""
        call = self._scan.cursor.call
        if call is None:
            return False
        for registry_id in self._joined:
            self._entries[registry_id].begin()
        try:
            decoder = ImagesDecoder(
                self._parents, wanted=lambda name: registry_of(name) in self._joined
            )
            request = images_request(
                call,
                self._scan.attempts.number,
                decoder,
                check=self._scan.cursor.check,
                pages_left=lambda: self.priority.pages_left,
            )
            pages = self._context.pages
            async with pages.arrived(pages.start(request), decoder) as page:
                images = await page.write()
            self._note(images)
            self._scan.cursor.advance(images.next_token, items=images.listed, sketch=images.sketch)
        except ApiError as error:
            self._entries[min(self._joined)].spent(error.calls)
            if handle_failure(self._scan, error) is FailureAction.AGAIN:
                return True
            self._all_apart(error.reason)
            return False
        self._scan.observed.proof.add(images.ids, in_order=False)
        if images.lost:
            self._all_apart("an image has no id")
        elif images.nameless or not all(self._is_met(registry_of(name)) for name in images.names):
            self._all_apart("an image does not name a registry that was met")
        elif self._scan.cursor.call is not None:
            return True
        elif not self._scan.observed.proof.whole:
            self._all_apart("an image came twice, so that another may be missing")
        else:
            self._end()
        return False

    def _note(self, images: Images) -> None:
        """Count a page for the registry with the most images on it."""
        rows: Counter[str] = Counter()
        for name, kept in images.names.items():
            rows[registry_of(name)] += kept
        self._met.update(rows)
        most = max(sorted(self._joined), key=lambda registry_id: rows[registry_id])
        self._entries[most].page(calls=images.cost.calls, items=images.listed)

    def _all_apart(self, reason: str) -> None:
        log.warning("listed_apart", folder_id=self._folder_id, reason=reason)
        for registry_id, names in self._joined.items():
            self._apart(registry_id, names, whole=True)

    def _end(self) -> None:
        for registry_id, names in self._joined.items():
            if names and registry_id not in self._met:
                self._apart(registry_id, names, whole=True)
            else:
                self._entries[registry_id].complete(
                    f"listed together with {number(len(self._joined) - 1, 'other')} of folder "
                    f"{self._folder_id}"
                )
