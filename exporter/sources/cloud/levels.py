"""The levels of the cloud: which contains which, and advice about a failed listing."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.crawl.coverage import LET_IN, Advice, ListingStatus
from exporter.tables.listings import Listing

LEVELS: tuple[Listing, ...] = ("clouds", "folders", "registries")

BELOW: Mapping[Listing, tuple[Listing, ...]] = {
    "clouds": ("folders",),
    "folders": ("registries",),
    "registries": ("repositories", "images"),
}
"""The listings that are made in each resource of a listing."""

NAMED_BY: Mapping[Listing, Listing] = {
    child: listing for listing, children in BELOW.items() for child in children
}
"""The listing that names a listing's parent."""

_CHECK_SCOPE = "check that `scope` names what there is, and run again"
_AGAIN = {
    "NOT_FOUND": _CHECK_SCOPE,
    "INVALID_ARGUMENT": _CHECK_SCOPE,
    "UNIMPLEMENTED": "check that `domain` and `endpoints` name the right services, and run again",
}
"""What to do if nothing could be listed, by the API's code."""


class CloudAdvice(Advice):
    """Advice that names the settings of the cloud."""

    def on_denied(self, status: ListingStatus) -> str:
        """See `Advice`; a resource that a list has named can also be left out."""
        level = NAMED_BY.get(status.listing)
        if level is None:
            return f"{LET_IN}, or name in `scope` what they may read"
        if not status.known:
            return LET_IN
        return f"{LET_IN}, or leave it out with `scope.exclude.{level}: [{status.parent_id}]`"

    def on_failed(self, status: ListingStatus) -> str:
        """See `Advice`; the API's code tells which setting may be wrong."""
        return _AGAIN.get(status.error_code or "") or super().on_failed(status)
