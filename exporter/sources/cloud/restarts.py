"""When a listing begins again at its first page: the API refuses its page token."""

from __future__ import annotations

import structlog

from exporter.errors import ApiError, is_refused
from exporter.sources.cloud.paging import PageCursor

log = structlog.get_logger()

MAX_RESTARTS = 3
"""How often one listing begins again because its page token expired."""


class Restarts:
    """How often one listing has begun again."""

    def __init__(self) -> None:
        self._count = 0

    def may_help(self, cursor: PageCursor, error: ApiError) -> bool:
        """Return whether to begin again, and count it.

        A refusal after the first page means that the page token expired. Only a new start helps
        then (`README.md`, Errors). The new start does not count if the page size was reduced just
        before.
        """
        if not (cursor.pages and is_refused(error)):
            return False
        if not cursor.shortened:
            if self._count >= MAX_RESTARTS:
                return False
            self._count += 1
        log.warning("listing_restarted", scope=error.scope, reason=error.reason)
        return True
