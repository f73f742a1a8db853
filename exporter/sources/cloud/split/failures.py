"""What becomes of a scan, and of its registry's listing, after a call that failed for good."""

from __future__ import annotations

from enum import Enum

import structlog

from exporter.errors import ApiError, StatusError, is_not_found, is_refused
from exporter.http.status import is_passing
from exporter.sources.cloud.split.closing import Closing
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans

log = structlog.get_logger()

_ABOUT_THIS_CALL = frozenset({400, 401, 403, 404})
"""Statuses without a code of the API that may not come if the images are listed another way."""


class FailureAction(Enum):
    """What happens to the scan, and to the registry's listing with it."""

    AGAIN = "the scan goes on, or begins again"
    DONE = "the scan ends, and nothing is missing for it"
    GONE = "the scan ends, and nothing is missing if its repository was deleted meanwhile"
    WITHOUT = "the descending scan ends, and the others do without it"
    ABANDON_SPLIT = "the scan ends, and the registry's own has to list everything"
    FAILED = "the scan ends, and the listing is not complete"


def handle_failure(scan: Scan, error: ApiError) -> FailureAction:
    """Decide about a failed call, and begin the scan again if that helps.

    In the middle of a scan, a refusal means an expired page token. At its beginning, it means that
    the API does not accept the `orderBy` or the repository's name (`README.md`, Errors). A
    repository that cannot be listed alone may still be listed with its registry. A descending scan
    is not needed, and neither is one that was stopped.
    """
    if scan.state is ScanState.STOPPED:
        return FailureAction.DONE
    if _is_shortened(scan, error) or _begins_again(scan, error):
        return FailureAction.AGAIN
    if scan.direction is Direction.DESCENDING:
        log.info("descent_given_up", scope=error.scope, reason=error.reason)
        return FailureAction.WITHOUT
    if scan.repository is None:
        return FailureAction.FAILED
    if is_not_found(error):
        log.warning("repository_not_found", repository_name=scan.repository, reason=error.reason)
        return FailureAction.GONE
    return FailureAction.ABANDON_SPLIT if _is_about_this_call(error) else FailureAction.FAILED


def _is_about_this_call(error: ApiError) -> bool:
    """Return whether an error may not come if the images are listed another way."""
    if not isinstance(error, StatusError):
        return False
    if error.code:
        return not is_passing(error.code)
    return error.http_status in _ABOUT_THIS_CALL


def _is_shortened(scan: Scan, error: ApiError) -> bool:
    """Ask for fewer images a page if the page is too large for a server in between."""
    return error.shorter_page_may_do and scan.shorten(error.reason)


def _begins_again(scan: Scan, error: ApiError) -> bool:
    """Begin a scan again after a refusal: for a new page token, or in the next order."""
    if not scan.cursor.pages:
        if is_refused(error) and scan.fall_back():
            log.warning("order_refused", scope=error.scope, reason=error.reason)
            return True
        return False
    if not scan.restarts.may_help(scan.cursor, error):
        return False
    scan.restart()
    return True


class Failures:
    """Handles the failed calls of one registry's scans."""

    def __init__(self, scans: Scans, closing: Closing, context: Context) -> None:
        self._scans = scans
        self._closing = closing
        self._context = context

    def handle(self, scan: Scan, error: ApiError) -> bool:
        """Handle a failed call; return True if the scan continues, and stop it otherwise.

        What the API refuses once, the run's later scans do not ask for: orders that come before the
        one that it has taken, and descending orders.
        """
        closing, context = self._closing, self._context
        action = handle_failure(scan, error)
        if action is FailureAction.AGAIN:
            if scan is self._scans.up:
                context.fallback = max(context.fallback, scan.attempts.fallback)
            return True
        scan.stop()
        if action is FailureAction.WITHOUT:
            if is_refused(error):
                context.backwards = False
            self._scans.give_up(scan)
        elif action is FailureAction.ABANDON_SPLIT and scan.repository is not None:
            closing.refused(scan.repository, error)
        elif action is FailureAction.GONE and scan.repository is not None:
            closing.gone(scan.repository)
        elif action is FailureAction.FAILED:
            closing.failed(error)
        return False
