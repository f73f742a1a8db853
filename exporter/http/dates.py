"""Times in headers and token answers, as seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_http_date(text: str) -> float | None:
    """Return the moment of an HTTP date (RFC 9110, 5.6.7); None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def parse_rfc_3339(text: str) -> float | None:
    """Return the moment of an RFC 3339 time with any offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return None if moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        return None
