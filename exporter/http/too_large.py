"""When a page is too large for a gateway: the signs, and how many of them are enough.

Gateways limit an answer, to 4 MiB by gRPC's default, and say so in many ways: a 429 about a message
larger than the maximum (which has nothing to do with the rate of calls), a 413, a 5xx, a body that
always ends at the same place. This program's own limit is `limits.max_page_bytes`. Asking again
does not help; asking for fewer items does.
"""

from __future__ import annotations

import re
from dataclasses import replace

from exporter.http.faults import Fault
from exporter.http.types import Call

SURELY, MAYBE = 1, 4
"""Failures of one kind in a row before fewer items are asked for: by sure signs, by others."""
_LAST = 1_000_000
"""The same, for failures that count only after the last attempt: a gateway also sends these for an
overloaded service."""
_OVERSIZE = _STALLED = 2
"""The same for a body above our own limit, because gateways have been seen to answer garbage once,
and for a body that stops coming, because each of these takes as long as a call may."""

_WORDS = re.compile(
    r"\b(message|response|body|payload|entity)\b[^.;]{0,60}?"
    r"\b(larger than|too (large|big|long)\b|exceed(s|ed)? (the )?(max|configured|size|limit of))",
    re.IGNORECASE,
)
"""Phrases of gRPC's libraries, proxies and functions for an answer that is too large."""
_BROKEN_OFF = frozenset({"truncated", "reset", "cut_off"})
STALLED = "stalled"
"""The reason of a fault whose answer began, but did not end in time."""


def says_too_large(fault: Fault) -> bool:
    """Return whether a failure names the size of the answer as its reason."""
    if fault.reason == "oversize" or fault.http_status == 413:
        return True
    return fault.kind == "status" and _WORDS.search(fault.message) is not None


class Signs:
    """The failures in a row of one call."""

    def __init__(self) -> None:
        self._last = ""
        self._row = 0
        self._enough = 0

    def note(self, fault: Fault) -> None:
        """Note a failure that has used up an attempt."""
        self._row = self._row + 1 if fault.reason == self._last else 1
        self._last = fault.reason
        self._enough = _enough(fault)

    def point_to_size(self, *, given_up: bool) -> bool:
        """Return whether to ask for a smaller page; `given_up` if no attempt is left."""
        return self._enough > 0 and (given_up or self._row >= self._enough)


def with_advice(fault: Fault, call: Call) -> Fault:
    """Return the failure of a call that cannot ask for less, with advice if it is about size."""
    if not says_too_large(fault):
        return fault
    what = "have the gateway in front of the API let larger answers pass"
    if fault.reason == "oversize":
        what = "raise limits.max_page_bytes" if call.most_bytes is None else ""
    least = ", though a page of one item was asked for" if call.paging is not None else ""
    return replace(fault, message=f"{fault.message}{least}", advice=what)


def _enough(fault: Fault) -> int:
    """Return how many such failures in a row point to the size of the page; 0 for none."""
    if says_too_large(fault):
        return _OVERSIZE if fault.reason == "oversize" else SURELY
    if fault.reason in _BROKEN_OFF:
        return MAYBE
    if fault.reason == STALLED:
        return _STALLED
    if fault.http_status < 500 or not fault.passing:
        return 0
    if fault.code and (fault.http_status == 503 or fault.code == "UNAVAILABLE"):
        return 0  # The API itself says that it is down, or overloaded.
    return _LAST if fault.http_status == 503 or fault.retry_after else MAYBE
