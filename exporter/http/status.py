"""What an answer's status says, and whose word it is: the API's own, or that of a gateway.

The API's own word has a code, which decides, whatever the HTTP number; each source reads its own
(`ErrorReader`) and gives it as one of google.rpc.Code's names. An error without one is a gateway's
on the way there: nginx, Envoy, Cloudflare or a load balancer answers HTML, plain text, a JSON of
its own or nothing, with any number. It says nothing about what was asked for, so it passes.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

ErrorReader = Callable[[bytes], tuple[str, str]]
"""Reads the body of an error: the code's name and the message; empty for what is not the API's."""

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
"""Statuses of nginx, Cloudflare and AWS load balancers that no RFC has."""

_NO_PAGE = frozenset({201, 202, 204, 205, 206, 207, 208, 226})
"""Successes that promise something else than the answer to a GET (RFC 9110, 15.3, and others)."""


def is_success(status: int, *, posted: bool = False) -> bool:
    """Say whether an answer's body is what was asked for (RFC 9110, 15.3).

    That is a 200, a 203, which is a 200 that a proxy has transformed, and any success that no RFC
    names, which counts as a 200 (RFC 9110, 15). A 201 is one for a POST alone.
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
    """Say whether an error with this code, empty for none, may be mended by asking again."""
    return not code or code in _PASSING_CODES
