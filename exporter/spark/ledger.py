"""The ledger of a run in parts: what each part says of its listings, and all of it together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from exporter.crawl.coverage import Coverage, ListingStatus, Status
from exporter.crawl.progress import Progress
from exporter.spark.partitions import ListingFacts
from exporter.tables.listings import Listing

_DECIDES: Sequence[Status | None] = (
    "denied",
    "failed",
    "partial",
    "vanished",
    "skipped",
    "complete",
)
"""Which status a listing has if its parts ended in several: the first of these."""
_COPIED = tuple(
    field.name for field in fields(ListingFacts) if field.name not in ("lost", "status")
)


def facts_of(
    entries: Iterable[ListingStatus], borrowed: Iterable[ListingStatus] = ()
) -> tuple[ListingFacts, ...]:
    """Return how listings went; of the `borrowed` ones only the calls count (`ListingFacts`)."""
    lent = list(borrowed)
    own = [entry for entry in entries if entry not in lent]
    return (
        *(_facts(entry, entry.status or "failed") for entry in own),
        *(_facts(entry, None) for entry in lent),
    )


def _facts(entry: ListingStatus, status: Status | None) -> ListingFacts:
    copied = {name: getattr(entry, name) for name in _COPIED}
    return ListingFacts(**copied, status=status, lost=tuple(sorted(entry.lost)))


def enter(coverage: Coverage, progress: Progress, told: Iterable[ListingFacts]) -> None:
    """Enter what all parts have told; a listing of several parts has one entry.

    Its calls and pages are the sum, and it is as whole as the part that is the least.
    """
    by_listing: dict[tuple[Listing, str], list[ListingFacts]] = {}
    for facts in told:
        by_listing.setdefault((facts.listing, facts.parent_id), []).append(facts)
    for (listing, parent_id), parts in by_listing.items():
        own = [facts for facts in parts if facts.status is not None]
        entry = coverage.entry(listing, parent_id)
        if entry is None:
            known = any(facts.known for facts in parts)
            entry = coverage.open(listing, parent_id, known=known)
            progress.listings_done += 1
        for facts in parts:
            entry.pages += facts.pages
            entry.items += facts.items
            entry.calls += facts.calls
            entry.retries += facts.retries
            entry.lost.update(facts.lost)
        if own:
            _end(entry, own)


def _end(entry: ListingStatus, parts: Sequence[ListingFacts]) -> None:
    decides = min(parts, key=lambda facts: _DECIDES.index(facts.status))
    entry.status = decides.status
    if decides.status == "failed" and entry.pages:
        entry.status = "partial"
    entry.http_status = decides.http_status
    entry.error_code = decides.error_code
    entry.message = decides.message
    begun = [facts.started_at for facts in parts if facts.started_at is not None]
    ended = [facts.finished_at for facts in parts if facts.finished_at is not None]
    entry.started_at = min(begun, default=None)
    entry.finished_at = max(ended, default=None)
