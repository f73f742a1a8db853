"""The API's times, from RFC 3339 texts to `timestamp[us, UTC]`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.tables.schemas import TIME

_MICROSECONDS = len("2026-11-23T02:00:00.123456")


def parse_times(texts: pa.StringArray) -> pa.TimestampArray:
    """Return the times cut, not rounded, to the microsecond; raises `PageError`.

    The API sends 0 to 9 fractional digits, mixed within one page, and years 0001 to 9999
    (`API.md`): nanoseconds would not hold those years, and microseconds refuse nine digits.
    """
    zulu = pc.fill_null(pc.ends_with(texts, "Z"), True)
    if not pc.all(zulu, min_count=0).as_py():
        raise PageError("a time does not end with Z")
    digits = pc.utf8_slice_codeunits(pc.utf8_rtrim(texts, "Z"), 0, _MICROSECONDS)
    try:
        return digits.cast(pa.timestamp("us")).cast(TIME)
    except pa.ArrowInvalid:
        raise PageError("a time is not RFC 3339") from None
