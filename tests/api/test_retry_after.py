"""`Retry-After`: both forms, and what is none of them."""

from __future__ import annotations

import pytest

from exporter.http.faults import LONGEST_RETRY_AFTER, parse_retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400000", LONGEST_RETRY_AFTER),
        ("inf", LONGEST_RETRY_AFTER),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 18 Nov 2026 11:06:50 GMT", 10.0),
        ("Wed, 18 Nov 2026 11:06:50 -0000", 10.0),
        ("Wednesday, 18-Nov-26 11:06:50 GMT", 10.0),
        ("Wed, 18 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 18 Nov 2039 11:00:00 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(
    text: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(text, now=NOW) == seconds
