"""The API's times, from RFC 3339 texts to `timestamp[us, UTC]`."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.tables.columns import TIME
from exporter.tables.constants import TRUE
from exporter.tables.times import time_of

_MICROSECONDS = len("2026-11-23T02:00:00.123456")
_USUAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$"
_FIRST = pa.scalar(datetime.min.replace(tzinfo=UTC), TIME)


def parse_times(texts: pa.StringArray) -> pa.TimestampArray:
    """Return the times cut, not rounded, to the microsecond; raises `PageError`.

    The API sends 0 to 9 fractional digits, mixed within one page, and years 0001 to 9999
    (`README.md`). Nanoseconds cannot represent those years, and Arrow's microseconds refuse nine
    digits.
    """
    usual = pc.fill_null(pc.match_substring_regex(texts, _USUAL), TRUE)
    if pc.all(usual, min_count=0).as_py():
        # This cuts the Z and the digits past the microsecond.
        cut = pc.utf8_slice_codeunits(pc.utf8_rtrim(texts, "Z"), 0, _MICROSECONDS)
        try:
            times = cut.cast(pa.timestamp("us")).cast(TIME)
        except pa.ArrowInvalid:
            return _one_by_one(texts)
        if not pc.any(pc.less(times, _FIRST)).as_py():
            return times
    return _one_by_one(texts)


def _one_by_one(texts: pa.StringArray) -> pa.TimestampArray:
    times = [None if text is None else time_of(text) for text in texts.to_pylist()]
    if times.count(None) > texts.null_count:
        raise PageError("a time is not RFC 3339")
    return pa.array(times, TIME)
