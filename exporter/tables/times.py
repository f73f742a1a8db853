"""The API's times, from RFC 3339 texts to `timestamp[us, UTC]`."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.tables.schemas import TIME

_MICROSECONDS = len("2026-11-23T02:00:00.123456")
_FIRST = pa.scalar(datetime.min.replace(tzinfo=UTC), TIME)


def parse_times(texts: pa.StringArray) -> pa.TimestampArray:
    """Return the times cut, not rounded, to the microsecond; raises `PageError`.

    The API sends 0 to 9 fractional digits, mixed within one page, and years 0001 to 9999
    (`API.md`): nanoseconds would not hold those years, and microseconds refuse nine digits.
    """
    zulu = pc.fill_null(pc.ends_with(texts, "Z"), True)
    if not pc.all(zulu, min_count=0).as_py():
        raise PageError("a time does not end with Z")
    digits = pc.utf8_slice_codeunits(texts, 0, -1)
    rest = pc.utf8_slice_codeunits(digits, _MICROSECONDS, None)
    if not pc.all(pc.match_substring_regex(rest, "^[0-9]{0,3}$"), min_count=0).as_py():
        raise PageError("a time is not RFC 3339")
    try:
        cut = pc.utf8_slice_codeunits(digits, 0, _MICROSECONDS)
        times = cut.cast(pa.timestamp("us")).cast(TIME)
    except pa.ArrowInvalid:
        raise PageError("a time is not RFC 3339") from None
    if pc.any(pc.less(times, _FIRST)).as_py():
        raise PageError("a time is before the year 1")
    return times
