"""The coverage of a run: every listing of the run, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa
import structlog

from exporter.clock import Clock
from exporter.crawl.progress import Progress
from exporter.errors import ApiError, IncompleteError, StatusError, is_denied, is_not_found
from exporter.tables.listings import ALL, LISTINGS, Listing
from exporter.tables.schemas import COMPLETE_STATUSES, COVERAGE
from exporter.wording import number

Status = Literal["complete", "denied", "vanished", "failed", "partial", "skipped"]

_WENT = {"denied": "was denied", "partial": "is not whole"}
"""The outcomes of listings that are not complete, in words; all others failed."""
LET_IN = "give these credentials a role that may view it"
_GO_ON = "run again to resume with what was listed"

MOST_NAMED = 5
"""The most items without a row that a listing's message names."""

log = structlog.get_logger()


class Advice:
    """Advice about a listing, as the end of a sentence; a source that knows more overrides it."""

    def on_denied(self, status: ListingStatus) -> str:
        """Return the advice for a denied listing."""
        return LET_IN

    def on_failed(self, status: ListingStatus) -> str:
        """Return the advice if nothing could be listed, and this listing failed first."""
        return "run again once that is repaired"


@dataclass(eq=False)
class ListingStatus:
    """One listing and its state; `status` is None while it is under way.

    `known` is true if an earlier listing of the run named its parent, so that a 404 of the API
    itself may mean that the parent has vanished. `items` counts everything on its pages. `lost`
    describes the items that have no row, because they have no id. `rows` is known only at the end
    (`Coverage.count_rows`).
    """

    listing: Listing
    parent_id: str
    known: bool
    status: Status | None = None
    pages: int = 0
    items: int = 0
    rows: int = 0
    calls: int = 0
    retries: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    http_status: int | None = None
    error_code: str | None = None
    message: str | None = None
    lost: set[str] = field(default_factory=set)
    _on_end: list[Progress] = field(default_factory=list, repr=False)
    _clock: Clock = field(default_factory=Clock, repr=False)
    _on_not_found: Callable[[ListingStatus], None] = field(default=lambda _: None, repr=False)
    _advice: Advice = field(default_factory=Advice, repr=False)

    def begin(self) -> None:
        """Note that the first request is about to be sent."""
        if self.started_at is None:
            self.started_at = self._clock.now()

    def page(self, *, calls: int, items: int = 0) -> None:
        """Count a page, with the requests that it took and the items on it."""
        self.pages += 1
        self.items += items
        self.spent(calls)

    def spent(self, calls: int) -> None:
        """Count requests of which none brought a page."""
        self.calls += calls
        self.retries += max(0, calls - 1)

    def lose(self, items: Iterable[str]) -> None:
        """Note items that have no row, each as a clause: the listing is not complete."""
        self.lost.update(items)

    def complete(self, message: str | None = None) -> None:
        """End the listing: all items have been listed, and have rows."""
        if self.lost:
            self.doubt(self._missing)
        else:
            self._end("complete", message)

    def skip(self, message: str) -> None:
        """End the listing: the user's filter leaves it, or a part of it, out."""
        if self.lost:
            self.doubt(self._missing)
        else:
            self._end("skipped", message)

    def fail(self, error: ApiError) -> None:
        """End the listing with the error that stopped it.

        A parent that was listed before and is not found now makes it fail, until the parent is
        known to be gone.
        """
        if isinstance(error, StatusError):
            self.http_status = error.http_status
            self.error_code = error.code or None
        denied = is_denied(error)
        gave_up: Status = "partial" if self.pages else "failed"
        reason = f"{error.reason}; {self._advice.on_denied(self)}" if denied else error.reason
        self._end("denied" if denied else gave_up, reason)
        if is_not_found(error) and self.known:
            self._on_not_found(self)
        else:
            self._tell()

    def vanish(self, error: StatusError) -> None:
        """End the listing: items that its parent named are not found, and no longer named."""
        self.http_status = error.http_status
        self.error_code = error.code
        self._end("vanished", error.message)
        self._tell()

    def resolve(self, *, gone: bool, reason: str) -> None:
        """Note whether the parent of a listing that was not found is gone.

        `reason` says how it is known. A resource is gone if its parent, listed again, no longer
        names it (`tables/README.md`).
        """
        if gone:
            self.status = "vanished"
        self.message = f"{self.message}, {reason}"
        self._tell()

    def miss(self, message: str) -> None:
        """Count the listing as failed: it found nothing of what was named."""
        self.status = "failed"
        self.message = message
        for progress in self._on_end:
            progress.listings_done += 1
        self._on_end = []
        self._tell()

    def doubt(self, message: str) -> None:
        """End the listing as failed or partial: something may be missing."""
        self._end("partial", message)
        log.warning(
            "listing_ended",
            listing=self.listing,
            parent_id=self.parent_id,
            status=self.status,
            reason=message,
        )

    def forgive(self) -> None:
        """Count a failed listing as one that the user's filter left out."""
        self.status = "skipped"
        self.message = f"asked only to find what was named: {self.message}"

    @property
    def whole(self) -> bool:
        """Whether nothing is missing here."""
        return self.status in COMPLETE_STATUSES

    @property
    def _missing(self) -> str:
        """A clause about the items without a row."""
        named = sorted(self.lost)[:MOST_NAMED]
        more = len(self.lost) - len(named)
        return (
            "items without an id have no row, and all others are listed: "
            f"the {', the '.join(named)}"
            f"{f' and {more} more' if more else ''}; ask the operator of the API to repair that"
        )

    @property
    def outcome(self) -> str:
        """Its outcome, as a clause: `the listing of images of crp1 failed`."""
        of = f" of {self.parent_id}" if self.parent_id != ALL else ""
        went = _WENT.get(self.status or "", "failed")
        return f"the listing of {self.listing}{of} {went}"

    def _tell(self) -> None:
        log.warning(
            "listing_ended",
            listing=self.listing,
            parent_id=self.parent_id,
            status=self.status,
            reason=self.message,
        )

    def _end(self, status: Status, message: str | None) -> None:
        self.status = status
        self.message = message
        if self.started_at is not None:
            self.finished_at = self._clock.now()
        for progress in self._on_end:
            progress.listings_done += 1
        self._on_end = []


class Coverage:
    """All entries of a run, one per listing and parent."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._entries: dict[tuple[Listing, str], ListingStatus] = {}
        self.on_not_found: Callable[[ListingStatus], None] = lambda _: None
        """Called with each listing of a named resource that is not found."""
        self.advice = Advice()
        """The advice about listings that fail from here on."""

    def open(self, listing: Listing, parent_id: str, *, known: bool = True) -> ListingStatus:
        """Enter a listing of the run."""
        entry = self.open_part(listing, parent_id, known=known)
        self._entries[listing, parent_id] = entry
        return entry

    def open_part(self, listing: Listing, parent_id: str, *, known: bool) -> ListingStatus:
        """Return an entry for a part of a listing, which is not entered here."""
        progress = self._progress
        progress.listings_known += 1
        return ListingStatus(
            listing,
            parent_id,
            known,
            _on_end=[progress],
            _clock=progress.clock,
            _on_not_found=self.on_not_found,
            _advice=self.advice,
        )

    def entry(self, listing: Listing, parent_id: str) -> ListingStatus | None:
        """Return the entry of a listing, if it was entered."""
        return self._entries.get((listing, parent_id))

    def entries(self) -> list[ListingStatus]:
        """Return all entries, in the order of the table's key."""
        return sorted(
            self._entries.values(),
            key=lambda entry: (LISTINGS.index(entry.listing), entry.parent_id),
        )

    def counts(self) -> dict[str, int]:
        """Return the number of listings by status."""
        return dict(sorted(Counter(entry.status or "failed" for entry in self.entries()).items()))

    def count_rows(self, kept: Mapping[str, Mapping[str, int]]) -> None:
        """Note the numbers of rows that are kept, by table and parent.

        They are counted in the tables, not as pages come, because a page may come twice.
        """
        for entry in self._entries.values():
            if entry.listing in kept:
                entry.rows = kept[entry.listing].get(entry.parent_id, 0)

    @property
    def complete(self) -> bool:
        """Whether the snapshot is complete (`tables/README.md`, coverage)."""
        return all(entry.whole for entry in self._entries.values())

    @property
    def empty(self) -> bool:
        """Whether no page of any listing arrived."""
        return not any(entry.pages for entry in self._entries.values())

    def refuse(self, *, partial: bool) -> None:
        """Raise `IncompleteError` if nothing could be listed, or, with `partial`, not all."""
        missing = [entry for entry in self.entries() if not entry.whole]
        if not missing:
            return
        first = missing[0]
        reason = f"{first.outcome}: {first.message}"
        denied = first.status == "denied"  # The error already says what to do.
        if self.empty:
            advice = "" if denied else f"; {self.advice.on_failed(first)}"
            raise IncompleteError(f"Nothing could be listed: {reason}{advice}.")
        if partial:
            advice = "" if denied else f"; {_GO_ON}"
            raise IncompleteError(
                f"{len(missing)} of {number(len(self._entries), 'listing')} "
                f"{'is' if len(missing) == 1 else 'are'} not complete, and "
                f"output.on_partial is fail, so nothing is published: {reason}{advice}, or set "
                "output.on_partial to publish."
            )

    def table(self) -> pa.Table:
        """Return the rows of `coverage`."""
        columns = COVERAGE.schema.names
        rows = [{name: getattr(entry, name) for name in columns} for entry in self.entries()]
        return pa.Table.from_pylist(rows, schema=COVERAGE.schema)
