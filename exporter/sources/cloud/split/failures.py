"""What can be done about a call of an image chain that failed for good."""

from __future__ import annotations

from enum import Enum

import structlog

from exporter.errors import ApiError, StatusError, is_not_found
from exporter.sources.cloud.split.scan import Direction, Scan

log = structlog.get_logger()

MAX_RESTARTS = 3
"""How often one chain begins anew because its page token expired."""
_ABOUT_THIS_CALL = frozenset({400, 401, 403, 404})
"""Statuses that another way of listing the same images may not meet."""


class FailureAction(Enum):
    """What becomes of the chain, and of the registry's listing with it."""

    AGAIN = "the chain goes on, begun anew"
    DONE = "the chain ends, and nothing is missing for it"
    GONE = "the chain ends, and nothing is missing if its repository was deleted meanwhile"
    WITHOUT = "the chain from above ends, and the others do without it"
    ABANDON_SPLIT = "the chain ends, and the registry's own has to list everything"
    FAILED = "the chain ends, and the listing is not complete"


def handle_failure(scan: Scan, error: ApiError) -> FailureAction:
    """Decide about a failed call, and begin the chain anew where that helps.

    A 400 in the middle of a chain is an expired page token, at its beginning an `orderBy` or a
    repository's name that the API does not take (`API.md`, Errors). A repository that cannot be
    listed alone may still be listed with its registry. A chain downwards is not needed, and none is
    where others have covered the rest.
    """
    status = error.http_status if isinstance(error, StatusError) else None
    if scan.stopped:
        return FailureAction.DONE
    if _is_shortened(scan, error) or (status == 400 and _begins_anew(scan, error)):
        return FailureAction.AGAIN
    if scan.direction is Direction.DESCENDING:
        log.info("descent_given_up", scope=error.scope, reason=error.reason)
        return FailureAction.WITHOUT
    if scan.repository is None:
        return FailureAction.FAILED
    if is_not_found(error):
        log.warning("repository_not_found", repository_name=scan.repository, reason=error.reason)
        return FailureAction.GONE
    return FailureAction.ABANDON_SPLIT if status in _ABOUT_THIS_CALL else FailureAction.FAILED


def _is_shortened(scan: Scan, error: ApiError) -> bool:
    """Ask for fewer images a page where the page in hand is too large for what is in between."""
    return error.shorter_page_may_do and scan.shorten(error.reason)


def _begins_anew(scan: Scan, error: ApiError) -> bool:
    """Begin a chain anew after a 400: with another token, or with an order that is less wished."""
    if not scan.cursor.pages:
        if scan.fall_back():
            log.warning("order_refused", scope=error.scope, reason=error.reason)
            return True
        return False
    if not scan.cursor.shortened:  # Else it is no token of a page so short.
        if scan.restarts >= MAX_RESTARTS:
            return False
        scan.restarts += 1
    log.warning("listing_restarted", scope=error.scope, reason=error.reason)
    scan.restart()
    return True
