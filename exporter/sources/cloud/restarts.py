"""When a listing begins again at its first page: its page token is no longer taken, a few times."""

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

    def may_help(self, chain: PageCursor, error: ApiError) -> bool:
        """Say whether to begin again, and count it: a refusal midway is an expired page token.

        To begin again is the only remedy for that (`README.md`, Errors). It is not counted where a
        page was asked for with fewer items than its token came with.
        """
        if not (chain.pages and is_refused(error)):
            return False
        if not chain.shortened:
            if self._count >= MAX_RESTARTS:
                return False
            self._count += 1
        log.warning("listing_restarted", scope=error.scope, reason=error.reason)
        return True
