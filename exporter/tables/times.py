"""Times as APIs write them, in RFC 3339, as the tables have them: in UTC, to the microsecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-]\d\d):(\d\d))", re.ASCII
)


def time_of(text: str) -> datetime | None:
    """Return an RFC 3339 time in UTC, cut to the microsecond; None for what is none.

    A leap second, 23:59:60 in UTC, is the first second of the next day, as POSIX counts. Times
    outside of the years 1 to 9999 in UTC are none.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    micros = int((found[7] or "")[:6].ljust(6, "0"))
    leap = second == 60
    try:
        at = datetime(year, month, day, hour, minute, second - leap, micros, tzinfo=UTC)
        if found[8]:
            hours, minutes = int(found[8][1:]), int(found[9])
            if hours > 23 or minutes > 59:
                return None
            offset = timedelta(hours=hours, minutes=minutes)
            at += offset if found[8].startswith("-") else -offset
        if leap and (at.hour, at.minute) != (23, 59):
            return None
        return at + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None
