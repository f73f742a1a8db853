"""The meaning of an answer's status, and its author: the API itself, or a gateway.

An error of the API has a code, which decides, whatever the HTTP status. Each source reads its own
(`ErrorReader`) and returns it as a name of google.rpc.Code. An error without a code comes from a
gateway: nginx, Envoy, Cloudflare or a load balancer answers with HTML, plain text, its own JSON or
nothing, and with any status. It says nothing about the call, so it counts as temporary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple


class ErrorAnswer(NamedTuple):
    """An answer that is no success: its status, its headers and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ErrorText(NamedTuple):
    """An error of the API: the code's name and the message, both empty if a gateway answered.

    `retry_after` is when to ask again, as a `Retry-After` header would say it, if the API says so
    in a way of its own.
    """

    code: str
    message: str
    retry_after: str | None = None


ErrorReader = Callable[[ErrorAnswer], ErrorText]
"""Reads an error."""

_PASSING_CODES = frozenset(
    {
        "CANCELLED",
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "ALREADY_EXISTS",  # to a list call it can only be a conflict with another call
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)

_GATEWAYS_PHRASES = {
    419: "Page Expired",
    430: "Too Many Requests",
    440: "Login Timeout",
    444: "No Response",
    460: "Client Closed Connection",
    463: "Too Many Forwarded Addresses",
    464: "Incompatible Protocol",
    494: "Request Header Too Large",
    495: "Client Certificate Error",
    496: "Client Certificate Required",
    497: "Plain HTTP on an HTTPS Port",
    499: "Client Closed Request",
    509: "Bandwidth Limit Exceeded",
    520: "Unknown Error behind the Gateway",
    521: "Server behind the Gateway Is Down",
    522: "Connection behind the Gateway Timed Out",
    523: "Server behind the Gateway Is Unreachable",
    524: "Server behind the Gateway Timed Out",
    525: "TLS Handshake behind the Gateway Failed",
    526: "Invalid Certificate behind the Gateway",
    527: "Railgun Error",
    529: "Overloaded",
    530: "Origin Not Resolved by the Gateway",
    561: "Unauthorized",
    598: "Network Read Timeout",
    599: "Network Connect Timeout",
}
"""Statuses of nginx, Cloudflare and AWS load balancers that are in no RFC."""

_NO_PAGE = frozenset({201, 202, 204, 205, 206, 207, 208, 226})
"""Successes that are not the answer to a GET (RFC 9110, 15.3, and others)."""


def is_success(status: int, *, posted: bool = False) -> bool:
    """Return whether an answer's body is the requested content (RFC 9110, 15.3).

    This is true for a 200, for a 203 (a 200 that a proxy has transformed), and for any success that
    no RFC names, which counts as a 200 (RFC 9110, 15). It is true for a 201 only after a POST.
    """
    if status == 201:
        return posted
    return 200 <= status < 300 and status not in _NO_PAGE


def name_status(status: int) -> str:
    """Return a status with its phrase: `520 (Unknown Error behind the Gateway)`."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = _GATEWAYS_PHRASES.get(status, "")
    return f"{status} ({phrase})" if phrase else str(status)


def is_passing(code: str) -> bool:
    """Return whether an error with this code, empty for none, is temporary."""
    return not code or code in _PASSING_CODES
